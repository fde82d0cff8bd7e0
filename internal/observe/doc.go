// Package observe lets an operator see what the program does: the log, the
// metrics, and the listener on which they and the profiles are read.
//
// It owns what is noted of every request, and the request id by which a user's
// report is found in the log. It does not own what is measured elsewhere:
// other packages register their collectors here. Nothing secret passes through
// it: neither headers, nor bodies, nor query strings are ever noted.
package observe
