package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// Grafana is where annotations go.
type Grafana struct {
	// URL is the base address. Empty has no Grafana.
	URL string
	// User and Password authenticate. They are never printed.
	User, Password string
}

// annotateTimeout bounds the note: a benchmark does not wait for a Grafana.
const annotateTimeout = 5 * time.Second

// Annotate notes the run in Grafana, from its start to its end, so that every
// dashboard can show when it was. Without a Grafana it does nothing.
func Annotate(ctx context.Context, g Grafana, r *Result) error {
	if g.URL == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), annotateTimeout)
	defer cancel()
	text := "benchmark " + r.RunID
	for _, c := range r.Comparisons {
		text += fmt.Sprintf("; %s against %s: %s, P99 %s (×%.2f)", c.Of, c.Against, c.Location.Verdict, c.Tail.Verdict, c.P99Ratio.Value)
	}
	body, err := json.Marshal(map[string]any{
		"time": r.Started.UnixMilli(), "timeEnd": r.Started.Add(time.Duration(r.Seconds * float64(time.Second))).UnixMilli(),
		"tags": []string{"plumbline", "benchmark", r.RunID}, "text": text,
	})
	if err != nil {
		return fmt.Errorf("encode the annotation: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimRight(g.URL, "/")+"/api/annotations", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the annotation: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	if g.User != "" {
		request.SetBasicAuth(g.User, g.Password)
	}
	response, err := controlClient().Do(request)
	if err != nil {
		return fmt.Errorf("annotate: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		answer, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10)) // what there is of it
		return fmt.Errorf("annotate: Grafana answers %d: %s", response.StatusCode, bytes.TrimSpace(answer))
	}
	return nil
}
