//go:build !unix

package bench

import "time"

// childrenCPU is not known on this system.
func childrenCPU() time.Duration { return 0 }
