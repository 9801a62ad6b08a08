"""`segue data prepare`: how cases come into a store, frames and volumes."""
