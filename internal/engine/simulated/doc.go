// Package simulated is an engine without hardware, for laptops,
// demonstrations, load and tests. It takes the orders of a region and behaves
// as an engine of real machines does: orders take time, hosts have only so
// much room, machines crash, hosts fall silent, and all of it is there still
// when the daemon was started again.
//
// It owns two things that are apart, as they are in a data centre: a World,
// the hosts with what is on them, and an Engine, a daemon's access to a World.
// An Engine may end between any two effects of an order and another one go on
// with the same World; a World tells tests what is on its hosts, and lets them
// meddle. What a World does by chance is due at a time, and happens when
// anybody next looks: a machine at rest costs some bytes of memory and nothing
// else.
//
// What is wanted of a machine, and where it is to be, is the region's
// business.
package simulated
