package lab

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listener is one socket in state LISTEN.
type listener struct {
	address netip.AddrPort
	inode   uint64
}

// tcpListen is the state LISTEN in /proc/net/tcp.
const tcpListen = "0A"

// parseListeners reads /proc/net/tcp or tcp6 and keeps what listens. Lines that
// it cannot read are left out.
func parseListeners(table []byte) []listener {
	var found []listener
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		const local, state, inode = 1, 3, 9
		if len(fields) <= inode || fields[state] != tcpListen {
			continue
		}
		address, err := parseSocketAddress(fields[local])
		if err != nil {
			continue
		}
		number, err := strconv.ParseUint(fields[inode], 10, 64)
		if err != nil {
			continue
		}
		found = append(found, listener{address: address, inode: number})
	}
	return found
}

// parseSocketAddress reads "0100007F:1F90" or its IPv6 form. The kernel prints
// the address as 32-bit words in host order, which is little-endian wherever
// the lab runs.
func parseSocketAddress(text string) (netip.AddrPort, error) {
	host, port, ok := strings.Cut(text, ":")
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q: no port", text)
	}
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q: not words in hexadecimal", text)
	}
	for word := range slices.Chunk(raw, 4) {
		slices.Reverse(word)
	}
	address, ok := netip.AddrFromSlice(raw)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q: %d bytes", text, len(raw))
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("parse socket address %q: port: %w", text, err)
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), nil
}

// listeners reads every listening TCP socket of this network namespace.
func listeners() []listener {
	var found []listener
	for _, name := range []string{"tcp", "tcp6"} {
		if table, err := os.ReadFile(filepath.Join(procRoot, "net", name)); err == nil {
			found = append(found, parseListeners(table)...)
		}
	}
	return found
}

// parseSocketLink reads the inode of "socket:[12345]".
func parseSocketLink(link string) (uint64, bool) {
	inner, ok := strings.CutPrefix(link, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(inner, "]"), 10, 64)
	return inode, err == nil
}

// socketOwners maps the inode of each socket to a process that has it open.
// Processes of other users are missing unless the lab runs as root.
func socketOwners() map[uint64]int {
	owners := map[uint64]int{}
	for _, pid := range processes() {
		dir := filepath.Join(procRoot, strconv.Itoa(pid), "fd")
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // another user's, or gone
		}
		for _, entry := range entries {
			link, err := os.Readlink(filepath.Join(dir, entry.Name()))
			if err != nil {
				continue
			}
			if inode, ok := parseSocketLink(link); ok {
				owners[inode] = pid
			}
		}
	}
	return owners
}

// conflicts reports every port that cannot be listened on, all at once: its
// number, what holds it, and the variable that moves it.
func conflicts(ports []Port) error {
	var taken []Port
	for _, port := range ports {
		if !canListen(port.Number) {
			taken = append(taken, port)
		}
	}
	if len(taken) == 0 {
		return nil
	}
	sockets, owners := listeners(), socketOwners()
	problems := make([]error, 0, len(taken))
	for _, port := range taken {
		problems = append(problems, fmt.Errorf("port %d (%s) is taken by %s: stop that, or move the lab with %s=<port>",
			port.Number, port.Component, holder(port.Number, sockets, owners), port.Variable))
	}
	return errors.Join(problems...)
}

// holder names the process that listens on a port.
func holder(port int, sockets []listener, owners map[uint64]int) string {
	for _, socket := range sockets {
		if int(socket.address.Port()) != port {
			continue
		}
		pid, known := owners[socket.inode]
		if !known {
			return "another user's process, listening on " + socket.address.String()
		}
		return fmt.Sprintf("process %d (%s), listening on %s", pid, commandName(pid), socket.address)
	}
	return "a process that does not listen on it (an outgoing connection, or one that is closing)"
}

// commandName is the name of the program that a process runs.
func commandName(pid int) string {
	name, err := os.ReadFile(filepath.Join(procRoot, strconv.Itoa(pid), "comm"))
	if err != nil {
		return "ended meanwhile"
	}
	return strings.TrimSpace(string(name))
}
