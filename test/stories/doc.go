// Package stories tells, as tests, what people do with the program, and what
// they get: each story drives the built binary as real processes, over real
// sockets and files.
//
// Most stories are scripts in testdata, and read from the top. Beside what
// testscript brings, they have these commands; a leading ! means that the
// command is to fail.
//
//	penstock [NAME=VALUE…] ARG…            run a command to its end
//	refused REGEXP [NAME=VALUE…] ARG…      run a command; it fails with one line like this, and no more
//	start NAME [NAME=VALUE…] ARG…          run a server; go on when it says that it serves
//	interrupt NAME                         interrupt it, as Ctrl-C does, and wait for a clean end
//	crash NAME                             kill it, as kill -9 does
//	ended NAME [CODE]                      wait until it ends by itself, and tells the shell that
//	logged NAME REGEXP                     wait until it logs a line like this
//	http [FLAG…] METHOD URL STATUS         ask and check; see the flags in http_test.go
//	take NAME FILE REGEXP                  set a variable to what the first group matches
//	fill FILE                              put variables in the place of their $NAME
//	token FILE                             print what a token says of itself: key, issuer, life
//	pages URL                              print all elements of a list, one a line, page by page
//	certificate CERT KEY                   write a new TLS certificate of this machine, and its key
//	audit DATABASE [ORGANIZATION]          print who changed what in it, or else in none, a line each
//	narrow FILE                            no line is wider than a terminal of 80 columns
//	mode FILE PERMISSIONS                  a file's permissions, in octal
//	ports NAME…                            set variables to ports that nobody uses
//	proxy NAME ADDRESS                     a line to a server; sets a variable to its address
//	cut NAME                               end what a line carries, and refuse more
//	slow NAME SPAN                         a line takes so long, and is not cut
//	mend NAME                              it does its work again
//	shows API REGION DATABASE              wait until the plane shows the region's own list
//	believed API REGION fresh|stale|offline  wait until the region is believed so far
//
// A server's output goes to NAME.out and NAME.err. No story may leave a secret
// in what any process wrote to standard error.
//
// The package owns the stories that span processes. What one process does
// inside is tested where it is done.
package stories
