package drill

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cacheu/plumbline/agent/catalog"
)

// askTimeout bounds one question to a server.
const askTimeout = 5 * time.Second

// servers are those of the lab that drills ask and tell.
type servers struct {
	client                         *http.Client
	prometheus, alertmanager, loki string // base URLs
	gateway                        string
}

// state is which alerts there are at one moment.
type state struct {
	// firing are by Prometheus; known are by Alertmanager, those that another
	// alert silences included.
	firing, known map[Alert]bool
}

// look asks both servers. A server that does not answer is an error.
func (s servers) look(ctx context.Context) (state, error) {
	var prometheus struct {
		Data struct {
			Alerts []struct {
				Labels map[string]string
				State  string
			}
		}
	}
	if err := s.ask(ctx, s.prometheus+"/api/v1/alerts", &prometheus); err != nil {
		return state{}, err
	}
	now := state{firing: map[Alert]bool{}, known: map[Alert]bool{}}
	for _, a := range prometheus.Data.Alerts {
		if a.State == "firing" && !ofMachine(a.Labels) {
			now.firing[alertOf(a.Labels)] = true
		}
	}
	var alertmanager []struct{ Labels map[string]string }
	if err := s.ask(ctx, s.alertmanager+"/api/v2/alerts", &alertmanager); err != nil {
		return state{}, err
	}
	for _, a := range alertmanager {
		if !ofMachine(a.Labels) {
			now.known[alertOf(a.Labels)] = true
		}
	}
	return now, nil
}

func alertOf(labels map[string]string) Alert {
	return Alert{labels["alertname"], labels[string(catalog.AlertSeverity)]}
}

// ofMachine reports whether an alert is about what the lab shares with everything
// else on the machine: that others use its processors and disks is no drill.
func ofMachine(labels map[string]string) bool {
	switch catalog.ResourceName(labels[string(catalog.Resource)]) {
	case catalog.ResourceCPU, catalog.ResourceCPUQuota, catalog.ResourceIO, catalog.ResourceScheduler:
		return true
	}
	return false
}

// ask reads JSON from an address.
func (s servers) ask(ctx context.Context, url string, into any) error {
	body, err := s.send(ctx, http.MethodGet, url, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("read the answer of %s: %w", url, err)
	}
	return nil
}

// send sends a request and returns the answer's body. A status above 299 is an
// error.
func (s servers) send(ctx context.Context, method, url, body string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := s.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", url, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, 16<<20))
	if err != nil {
		return nil, fmt.Errorf("read the answer of %s: %w", url, err)
	}
	if response.StatusCode > 299 {
		return answer, fmt.Errorf("%s answers %s: %s", url, response.Status, strings.TrimSpace(string(answer)))
	}
	return answer, nil
}
