"""The demo (floor 3): a page that logs in with the SIM, the bridge that gives it the card, their server."""
