package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/mail"
	"strconv"
	"strings"
)

// Limits of what clients may send.
const (
	// MaxBody is the largest request body, in bytes.
	MaxBody = 64 << 10
	// MaxEmail is the longest email address, in bytes.
	MaxEmail = 254
)

// Error is an answer other than success. Handlers return or [Fail] with it;
// everything that is not an Error is answered with 500 and no detail.
type Error struct {
	// Status is the HTTP status code.
	Status int
	// Field names the part of the request that is wrong; empty where none is.
	Field string
	// Message says what is wrong and what would be right.
	Message string
}

// Error implements error.
func (e *Error) Error() string {
	if e.Field == "" {
		return e.Message
	}
	return e.Field + ": " + e.Message
}

// Invalid returns the error for a bad field: 400.
func Invalid(field, format string, args ...any) error {
	return &Error{http.StatusBadRequest, field, fmt.Sprintf(format, args...)}
}

// NotFound returns the error for an unknown id: 404.
func NotFound(field string, id int64) error {
	return &Error{http.StatusNotFound, field, fmt.Sprintf("there is none with the id %d", id)}
}

// TooLarge returns the error for a body that is longer than allowed: 413.
func TooLarge(err *http.MaxBytesError) error {
	return &Error{http.StatusRequestEntityTooLarge, "body", fmt.Sprintf("want at most %d bytes", err.Limit)}
}

// ID reads a positive whole number.
func ID(field, raw string) (int64, error) {
	id, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || id < 1 {
		return 0, Invalid(field, "want a whole number of at least 1")
	}
	return id, nil
}

// OptionalID is [ID], with a default for the empty string.
func OptionalID(field, raw string, otherwise int64) (int64, error) {
	if raw == "" {
		return otherwise, nil
	}
	return ID(field, raw)
}

// Limit reads a page size of 1 to most, with a default for the empty string.
func Limit(raw string, otherwise, most int) (int, error) {
	if raw == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(raw)
	if err != nil || n < 1 || n > most {
		return 0, Invalid("limit", "want a whole number of 1 to %d", most)
	}
	return n, nil
}

// Email checks an address and returns it in the form in which it is stored.
func Email(field, raw string) (string, error) {
	email := strings.ToLower(strings.TrimSpace(raw))
	parsed, err := mail.ParseAddress(email)
	// ParseAddress also takes "Name <address>", which is no address alone.
	if err != nil || parsed.Address != email || len(email) > MaxEmail {
		return "", Invalid(field, "want an email address of at most %d characters", MaxEmail)
	}
	return email, nil
}

// Body decodes a JSON body of at most [MaxBody] bytes into dst. Unknown fields
// are errors: a misspelt one would otherwise be left out in silence.
func Body(w http.ResponseWriter, r *http.Request, dst any) error {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, MaxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(dst); err != nil {
		return bodyError(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		if err != nil {
			return bodyError(err)
		}
		return Invalid("body", "want one JSON object and nothing after it")
	}
	return nil
}

// bodyError says what is wrong with a body, naming the field where JSON does.
func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	var wrongType *json.UnmarshalTypeError
	const unknown = "json: unknown field "
	switch {
	case errors.As(err, &tooLarge):
		return TooLarge(tooLarge)
	case errors.As(err, &wrongType) && wrongType.Field != "":
		return Invalid(wrongType.Field, "want a JSON %s, got a %s", kind(wrongType.Type.Kind().String()), wrongType.Value)
	case strings.HasPrefix(err.Error(), unknown):
		return Invalid(strings.Trim(strings.TrimPrefix(err.Error(), unknown), `"`), "there is no such field")
	default:
		return Invalid("body", "want a JSON object")
	}
}

// kind is the JSON word for a kind of Go.
func kind(k string) string {
	switch {
	case strings.HasPrefix(k, "int"), strings.HasPrefix(k, "uint"):
		return "whole number"
	case k == "slice":
		return "array"
	case k == "struct":
		return "object"
	default:
		return k
	}
}
