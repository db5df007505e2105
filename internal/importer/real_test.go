package importer_test

import (
	"context"
	"os"
	"testing"

	"github.com/cacheu/plumbline/internal/grafana"
	"github.com/cacheu/plumbline/internal/importer"
)

// TestARealGrafana imports into the Grafana of GRAFANA_URL, with GRAFANA_TOKEN,
// and takes everything out again. The Grafana must have no import of plumbline
// yet, and one data source of each type.
func TestARealGrafana(t *testing.T) {
	url, token := os.Getenv("GRAFANA_URL"), os.Getenv("GRAFANA_TOKEN")
	if url == "" {
		t.Skip("GRAFANA_URL names no Grafana")
	}
	client, err := grafana.New(grafana.Config{URL: url, Token: token})
	if err != nil {
		t.Fatal(err)
	}
	c := importer.Config{Client: client, Address: url, Flavor: "native", Folder: "plumbline import test"}
	if p := plan(t, c); p.Count(importer.Create) != len(p.Changes) {
		t.Fatalf("this Grafana has some of it already: %+v", p.Changes)
	}
	removal := c
	removal.Purpose, removal.Force = importer.Remove, true
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		i, err := importer.Connect(ctx, removal)
		if err != nil {
			t.Error(err)
			return
		}
		p, err := i.Uninstall(ctx)
		if err == nil {
			err = p.Apply(ctx)
		}
		if err != nil {
			t.Errorf("it is not taken out: %v", err)
		}
	})
	run(t, c)
	if p := plan(t, c); !p.Empty() {
		t.Errorf("a second run would do %+v", p.Changes)
	}
	strict(&c)
	if p := run(t, c); p.Count(importer.Update) == 0 || p.Count(importer.Keep) != 0 {
		t.Errorf("with another objective it does %+v", p.Changes)
	}
	removal.Force = false
	run(t, removal)
	if p := plan(t, c); p.Count(importer.Create) != len(p.Changes) {
		t.Errorf("after all is taken out there is still %+v", p.Changes)
	}
}
