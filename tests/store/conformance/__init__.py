"""What every backend must do, written against `console.store.protocol` alone."""
