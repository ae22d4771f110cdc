"""The door of the command line: JSON over HTTP under `/_alight/api`, for whoever holds the folder's admin token."""
