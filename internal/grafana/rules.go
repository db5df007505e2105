package grafana

import (
	"context"
	"net/http"
)

// Group is a group of alert rules that are evaluated together, in order.
type Group struct {
	// Title is its name, unique in its folder.
	Title string `json:"title"`
	// FolderUID is that of its folder.
	FolderUID string `json:"folderUid"`
	// Interval is the time between two evaluations, in seconds.
	Interval int `json:"interval"`
	// Rules are in order of evaluation.
	Rules []Object `json:"rules"`
}

// editable keeps rules open for changes in Grafana's own pages. Without it,
// Grafana locks what comes through this part of its API.
func editable() http.Header { return http.Header{"X-Disable-Provenance": {"true"}} }

// Rules lists all rules that the token may see, of every folder, in order of
// evaluation within each group.
func (c *Client) Rules(ctx context.Context) ([]Object, error) {
	var rules []Object
	err := c.do(ctx, get("api", "v1", "provisioning", "alert-rules"), &rules)
	return rules, err
}

// Group reads one group.
func (c *Client) Group(ctx context.Context, folderUID, title string) (Group, error) {
	var g Group
	err := c.do(ctx, get("api", "v1", "provisioning", "folder", folderUID, "rule-groups", title), &g)
	return g, err
}

// ReplaceGroup makes the group hold exactly these rules, in one transaction.
// A rule keeps its identity by its uid: what Grafana has elsewhere by that uid
// moves here, what the group no longer names is deleted.
func (c *Client) ReplaceGroup(ctx context.Context, g Group) error {
	return c.do(ctx, call{
		method: http.MethodPut,
		path:   []string{"api", "v1", "provisioning", "folder", g.FolderUID, "rule-groups", g.Title},
		header: editable(), body: g,
	}, nil)
}

// DeleteRule deletes one rule. One that is not there is deleted already.
func (c *Client) DeleteRule(ctx context.Context, uid string) error {
	err := c.do(ctx, call{
		method: http.MethodDelete, path: []string{"api", "v1", "provisioning", "alert-rules", uid}, header: editable(),
	}, nil)
	if IsNotFound(err) {
		return nil
	}
	return err
}
