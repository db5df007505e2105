package grafana

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Version is that of a Grafana. The zero value stands for one that is unknown.
type Version struct {
	Major, Minor int
	// Text is the version as Grafana says it.
	Text string
}

// ParseVersion reads a version such as "12.3.3" or "13.0.0-pre".
func ParseVersion(text string) (Version, error) {
	parts := strings.SplitN(strings.TrimPrefix(text, "v"), ".", 3)
	if len(parts) < 2 {
		return Version{}, fmt.Errorf("version %q is none of Grafana", text)
	}
	major, err := strconv.Atoi(parts[0])
	if err != nil {
		return Version{}, fmt.Errorf("version %q is none of Grafana: %w", text, err)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return Version{}, fmt.Errorf("version %q is none of Grafana: %w", text, err)
	}
	return Version{Major: major, Minor: minor, Text: text}, nil
}

// AtLeast reports whether v is the given version or a later one. An unknown
// version is older than any.
func (v Version) AtLeast(major, minor int) bool {
	return v.Major > major || (v.Major == major && v.Minor >= minor)
}

// Version asks which version Grafana is. A Grafana that hides it from health
// checks is asked for the settings of its pages instead.
func (c *Client) Version(ctx context.Context) (Version, error) {
	var health struct {
		Version string `json:"version"`
	}
	if err := c.do(ctx, get("api", "health"), &health); err != nil {
		return Version{}, err
	}
	if health.Version != "" {
		return ParseVersion(health.Version)
	}
	var settings struct {
		BuildInfo struct {
			Version string `json:"version"`
		} `json:"buildInfo"`
	}
	if err := c.do(ctx, get("api", "frontend", "settings"), &settings); err != nil {
		return Version{}, err
	}
	return ParseVersion(settings.BuildInfo.Version)
}

// Permissions are the actions that a token may take, each with its scopes.
type Permissions map[string][]string

// Has reports whether the action is allowed, on whatever.
func (p Permissions) Has(action string) bool {
	_, ok := p[action]
	return ok
}

// ErrPermissionsUnknown says that this Grafana does not tell permissions.
var ErrPermissionsUnknown = errors.New("this Grafana does not tell the permissions of a token")

// Permissions asks what the token may do. A Grafana without access control
// gives ErrPermissionsUnknown.
func (c *Client) Permissions(ctx context.Context) (Permissions, error) {
	var p Permissions
	err := c.do(ctx, get("api", "access-control", "user", "permissions"), &p)
	if hasStatus(err, http.StatusNotFound, http.StatusForbidden) {
		return nil, fmt.Errorf("%w: %w", ErrPermissionsUnknown, err)
	}
	return p, err
}
