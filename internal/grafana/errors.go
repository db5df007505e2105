package grafana

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Error is an answer by which Grafana refuses something.
type Error struct {
	// Request is the method and the path.
	Request string
	// Status is the HTTP status.
	Status int
	// Message is Grafana's own, or the beginning of what was answered instead.
	Message string
	// Permission is what Grafana says is lacking; empty if it does not say.
	Permission string
}

// permissionsNeeded stands in front of the permissions in the message of a
// refusal.
const permissionsNeeded = "Permissions needed: "

func newError(request string, status int, content []byte) *Error {
	e := &Error{Request: request, Status: status}
	var answer struct {
		Message string `json:"message"`
		Status  string `json:"status"`
	}
	if err := json.Unmarshal(content, &answer); err == nil && answer.Message != "" {
		e.Message = answer.Message
	} else {
		const enough = 200
		e.Message = strings.TrimSpace(string(content[:min(len(content), enough)]))
	}
	if _, permission, ok := strings.Cut(e.Message, permissionsNeeded); ok && status == http.StatusForbidden {
		e.Permission = strings.TrimSpace(permission)
	}
	return e
}

// Error says what was refused, why, and what to do where the caller can.
func (e *Error) Error() string {
	switch {
	case e.Status == http.StatusUnauthorized:
		return fmt.Sprintf("Grafana does not accept the token (%s): it may be mistyped, expired, deleted, or of another Grafana", e.Message)
	case e.Permission != "":
		return fmt.Sprintf("the token lacks a permission: %s (for %s)", e.Permission, e.Request)
	case e.Status == http.StatusForbidden:
		return fmt.Sprintf("the token may not do that: %s (%s)", e.Message, e.Request)
	case e.Status == http.StatusPreconditionFailed:
		return fmt.Sprintf("somebody changed it at the same moment: %s (%s); run it again", e.Message, e.Request)
	}
	return fmt.Sprintf("Grafana answers %d %s to %s: %s", e.Status, http.StatusText(e.Status), e.Request, e.Message)
}

// IsNotFound reports whether Grafana says that what was asked for is not there.
func IsNotFound(err error) bool { return hasStatus(err, http.StatusNotFound) }

func hasStatus(err error, statuses ...int) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	for _, s := range statuses {
		if e.Status == s {
			return true
		}
	}
	return false
}
