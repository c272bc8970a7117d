"""The console: a Textual app that shows the store and steers it through operations. Nothing else imports textual."""
