"""What an operator may do, used alike by the command line, the API and the console. Each act leaves an audit row."""
