package lab

import (
	"crypto/rand"
	"fmt"
)

// secrets are the passwords of one lab. They are made on its first start, kept
// in a file that only its user can read, and never printed.
type secrets struct {
	Postgres string `json:"postgres"`
	Redis    string `json:"redis"`
	Grafana  string `json:"grafana"`
}

// loadSecrets reads the passwords, and makes those that are not there yet.
func loadSecrets(path string) (secrets, error) {
	var s secrets
	if _, err := readJSON(path, &s); err != nil {
		return s, err
	}
	complete := true
	for _, field := range []*string{&s.Postgres, &s.Redis, &s.Grafana} {
		if *field == "" {
			*field, complete = rand.Text(), false
		}
	}
	if complete {
		return s, nil
	}
	if err := writeJSON(path, s); err != nil {
		return s, fmt.Errorf("keep the lab's passwords: %w", err)
	}
	return s, nil
}
