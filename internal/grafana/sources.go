package grafana

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// DataSource is one that Grafana can ask.
type DataSource struct {
	// UID is its identity.
	UID string `json:"uid"`
	// Name is what people see, unique in an organization.
	Name string `json:"name"`
	// Type is the id of its plugin.
	Type string `json:"type"`
}

// DataSources lists the data sources that the token may see.
func (c *Client) DataSources(ctx context.Context) ([]DataSource, error) {
	var all []DataSource
	err := c.do(ctx, get("api", "datasources"), &all)
	return all, err
}

// Through returns how to ask the Prometheus behind a data source.
func (c *Client) Through(uid string) Prometheus {
	return Prometheus{client: c, base: []string{"api", "datasources", "proxy", "uid", uid}}
}

// Prometheus is a Prometheus, or what answers as one: behind a data source
// (Through), or asked directly (Directly).
type Prometheus struct {
	client *Client
	base   []string
}

// Directly returns how to ask the Prometheus at the address, without Grafana
// and without its token. It fails for an address that is none.
func Directly(address string) (Prometheus, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return Prometheus{}, fmt.Errorf("the address of Prometheus %q is no http or https address", address)
	}
	return Prometheus{client: &Client{base: u, http: defaultHTTP()}}, nil
}

// Names returns which metric names that match the selector had series between
// since and now.
func (p Prometheus) Names(ctx context.Context, selector string, since, now time.Time) ([]string, error) {
	r := get(append(append([]string{}, p.base...), "api", "v1", "label", "__name__", "values")...)
	r.query = url.Values{"match[]": {selector}, "start": {unix(since)}, "end": {unix(now)}}
	var answer struct {
		Data []string `json:"data"`
	}
	if err := p.client.do(ctx, r, &answer); err != nil {
		return nil, fmt.Errorf("ask Prometheus: %w", err)
	}
	return answer.Data, nil
}

func unix(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
