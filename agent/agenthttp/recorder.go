package agenthttp

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// recorder remembers the status and size of a response.
type recorder struct {
	http.ResponseWriter
	status int
	size   int64
}

// Unwrap lets [http.ResponseController] reach the original writer.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader implements [http.ResponseWriter]. Informational statuses are
// followed by the real one; 101 is the real one.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (w *recorder) Write(p []byte) (int, error) {
	w.implicit()
	n, err := w.ResponseWriter.Write(p)
	w.size += int64(n)
	return n, err
}

// ReadFrom implements [io.ReaderFrom], by which net/http sends files without
// copying them through the process.
func (w *recorder) ReadFrom(r io.Reader) (int64, error) {
	w.implicit()
	n, err := io.Copy(w.ResponseWriter, r) // uses the writer's ReadFrom where it has one
	w.size += n
	return n, err
}

func (w *recorder) implicit() {
	if w.status == 0 {
		w.status = http.StatusOK
	}
}

// wrap returns the recorder with the optional interfaces that the original
// writer has, and no others: handlers ask for them to learn what is possible.
func (w *recorder) wrap() http.ResponseWriter {
	flusher, canFlush := w.ResponseWriter.(http.Flusher)
	hijacker, canHijack := w.ResponseWriter.(http.Hijacker)
	pusher, canPush := w.ResponseWriter.(http.Pusher)
	f, h := flush{w, flusher}, hijack{w, hijacker}
	switch {
	case canFlush && canHijack:
		return struct {
			*recorder
			http.Flusher
			http.Hijacker
		}{w, f, h}
	case canFlush && canPush:
		return struct {
			*recorder
			http.Flusher
			http.Pusher
		}{w, f, pusher}
	case canFlush:
		return struct {
			*recorder
			http.Flusher
		}{w, f}
	case canHijack:
		return struct {
			*recorder
			http.Hijacker
		}{w, h}
	}
	return w
}

// flush notes that flushing sends the header.
type flush struct {
	w     *recorder
	inner http.Flusher
}

// Flush implements [http.Flusher].
func (f flush) Flush() {
	f.w.implicit()
	f.inner.Flush()
}

// hijack notes that the connection changed hands.
type hijack struct {
	w     *recorder
	inner http.Hijacker
}

// Hijack implements [http.Hijacker]. A handler that takes the connection
// without an answer counts as 101: HTTP has ended there.
func (h hijack) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := h.inner.Hijack()
	if err == nil && h.w.status == 0 {
		h.w.status = http.StatusSwitchingProtocols
	}
	return conn, rw, err
}
