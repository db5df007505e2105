package agentgin

import (
	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/agent/replication"
)

// Sessions gives every request the session that it comes with, so that reads
// through a [replication.Router] with the request's context see what the same
// user wrote. The answer carries what the handlers wrote to the database before
// they wrote to the client. With nil sessions it only calls the next handler.
func Sessions(s *replication.Sessions) gin.HandlerFunc {
	return func(c *gin.Context) {
		if s == nil {
			c.Next()
			return
		}
		r, exchange := s.Begin(c.Request)
		c.Request = r
		c.Writer = &tokenWriter{c.Writer, exchange}
		c.Next()
		// What was not written is sent by the engine, past the writer above.
		if !c.Writer.Written() {
			exchange.Finish(c.Writer.Header())
		}
	}
}

// tokenWriter finishes the exchange before the header is sent.
type tokenWriter struct {
	gin.ResponseWriter
	exchange *replication.Exchange
}

// WriteHeaderNow implements [gin.ResponseWriter].
func (w *tokenWriter) WriteHeaderNow() {
	w.exchange.Finish(w.Header())
	w.ResponseWriter.WriteHeaderNow()
}

// Write implements [gin.ResponseWriter].
func (w *tokenWriter) Write(p []byte) (int, error) {
	w.exchange.Finish(w.Header())
	return w.ResponseWriter.Write(p)
}

// WriteString implements [gin.ResponseWriter].
func (w *tokenWriter) WriteString(s string) (int, error) {
	w.exchange.Finish(w.Header())
	return w.ResponseWriter.WriteString(s)
}

// Flush implements [gin.ResponseWriter].
func (w *tokenWriter) Flush() {
	w.exchange.Finish(w.Header())
	w.ResponseWriter.Flush()
}
