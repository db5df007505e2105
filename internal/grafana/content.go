package grafana

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
)

// Folder holds dashboards and rules.
type Folder struct {
	// UID is the identity of the folder.
	UID string `json:"uid"`
	// Title is what people see.
	Title string `json:"title"`
}

// folderPage is how many folders one request lists.
const folderPage = 1000

// Folders lists the folders at the root that the token may see.
func (c *Client) Folders(ctx context.Context) ([]Folder, error) {
	var all []Folder
	for page := 1; ; page++ {
		r := get("api", "folders")
		r.query = url.Values{"limit": {strconv.Itoa(folderPage)}, "page": {strconv.Itoa(page)}}
		var some []Folder
		if err := c.do(ctx, r, &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
		if len(some) < folderPage {
			return all, nil
		}
	}
}

// Folder reads one folder, at the root or not.
func (c *Client) Folder(ctx context.Context, uid string) (Folder, error) {
	var f Folder
	err := c.do(ctx, get("api", "folders", uid), &f)
	return f, err
}

// CreateFolder makes a folder at the root.
func (c *Client) CreateFolder(ctx context.Context, f Folder) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"api", "folders"}, body: f}, nil)
}

// FolderCount counts what is in a folder and in those below it, of all kinds.
func (c *Client) FolderCount(ctx context.Context, uid string) (int, error) {
	counts := map[string]int{}
	if err := c.do(ctx, get("api", "folders", uid, "counts"), &counts); err != nil {
		return 0, err
	}
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return sum, nil
}

// DeleteFolder deletes a folder with all dashboards in it. Grafana refuses if
// it has rules.
func (c *Client) DeleteFolder(ctx context.Context, uid string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"api", "folders", uid}}, nil)
}

// Dashboard is a dashboard as Grafana has it.
type Dashboard struct {
	// Model is the dashboard itself.
	Model Object `json:"dashboard"`
	// Meta says what Grafana knows about it.
	Meta struct {
		// FolderUID is that of its folder; empty at the root.
		FolderUID string `json:"folderUid"`
		// Provisioned dashboards come from files and cannot be saved.
		Provisioned bool `json:"provisioned"`
	} `json:"meta"`
}

// Dashboard reads one dashboard.
func (c *Client) Dashboard(ctx context.Context, uid string) (Dashboard, error) {
	var d Dashboard
	err := c.do(ctx, get("api", "dashboards", "uid", uid), &d)
	return d, err
}

// Save is a dashboard to be saved.
type Save struct {
	// Model is the dashboard with its uid. With a "version", Grafana refuses if
	// somebody saved another one since.
	Model Object `json:"dashboard"`
	// FolderUID is that of its folder; empty for the root.
	FolderUID string `json:"folderUid"`
	// Message goes into the history of the dashboard.
	Message string `json:"message"`
	// Overwrite saves it whatever is there. False is the safe choice.
	Overwrite bool `json:"overwrite"`
}

// SaveDashboard creates or updates the dashboard of the uid in the model.
func (c *Client) SaveDashboard(ctx context.Context, s Save) error {
	return c.do(ctx, call{method: http.MethodPost, path: []string{"api", "dashboards", "db"}, body: s}, nil)
}

// DeleteDashboard deletes one dashboard.
func (c *Client) DeleteDashboard(ctx context.Context, uid string) error {
	return c.do(ctx, call{method: http.MethodDelete, path: []string{"api", "dashboards", "uid", uid}}, nil)
}

// LastMessage returns the message with which a dashboard was saved last; empty
// if there was none, or no history is left.
func (c *Client) LastMessage(ctx context.Context, uid string) (string, error) {
	r := get("api", "dashboards", "uid", uid, "versions")
	r.query = url.Values{"limit": {"1"}}
	var answer json.RawMessage
	if err := c.do(ctx, r, &answer); err != nil {
		return "", err
	}
	type version struct {
		Version int    `json:"version"`
		Message string `json:"message"`
	}
	// A bare list up to Grafana 11.4, an object with a list since.
	var history struct {
		Versions []version `json:"versions"`
	}
	if err := json.Unmarshal(answer, &history); err != nil {
		if err := json.Unmarshal(answer, &history.Versions); err != nil {
			return "", err
		}
	}
	var last version
	for _, v := range history.Versions {
		if v.Version >= last.Version {
			last = v
		}
	}
	return last.Message, nil
}
