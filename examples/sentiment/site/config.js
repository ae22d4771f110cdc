// Where the API is, as `alight outputs` shows it under ApiUrl. Empty: the page asks for it.
// `alight demo sentiment` puts a copy with the address into the bucket.
window.SENTIMENT_API = "";
