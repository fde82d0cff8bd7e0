// Package browser drives Debian's Chromium for tests, as a person does who reads
// headings, fills in fields and presses buttons.
//
// It owns how the browser is started and ended, and the screenshots that it keeps;
// what there is to see on a page is the tests' own.
package browser
