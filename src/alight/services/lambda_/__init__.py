"""The Lambda door: definitions of functions, who may call them, and Invoke."""
