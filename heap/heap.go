// Package heap keeps the garbage collector from running all the time on a heap that is nearly empty.
//
// What a provider keeps in memory is a few MiB: the rest is in the store. Go collects when the heap has doubled, so at full load it would
// collect every few MiB, hundreds of times a second, and spend a sixth of the CPU on it. A larger GOGC mends that on a small heap and
// costs several times the memory on a large one. [Reserve] instead adds a constant to what counts as alive: so much garbage, and no
// more, may come together between two collections, and GOGC means what it means otherwise.
package heap

import "sync"

// Size is what is reserved, in bytes, and how much more memory the process may take for it at full load.
const Size = 16 << 20

// reserved is kept alive by the function that made it. It is never written to, so the system gives it no memory.
var reserved = sync.OnceValue(func() []byte { return make([]byte, Size) })

// Reserve is to be called by a program that serves. It takes effect once.
func Reserve() { reserved() }
