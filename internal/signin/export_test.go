package signin

// ReturnPath is where a browser goes on, for the tests.
var ReturnPath = returnPath
