package agentsql_test

import (
	"context"
	"fmt"
	"log"

	"github.com/cacheu/plumbline/agent/agentsql"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// A database of database/sql, opened through the agent: its queries become
// spans with their signatures, and the values stay where they are.
func Example() {
	ctx := context.Background()
	rec := agenttest.New(exampleTB{}) // a service starts an agent
	db, err := agentsql.Open(rec.Agent(), "pgx", url)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := agentsql.ObserveDB(rec.Agent(), "primary", db); err != nil {
		log.Fatal(err)
	}

	var name string
	if err := db.QueryRowContext(ctx, "select name from authors where id = 7").Scan(&name); err != nil {
		log.Fatal(err)
	}
	fmt.Println(name)
	for _, span := range rec.Spans() {
		fmt.Println(span.Name(), "|", agenttest.Attribute(span, catalog.AttrDBQueryText))
	}
	// Output:
	// author 7
	// SELECT authors | select name from authors where id = ?
}

// exampleTB stands in for the testing.T that an example does not have.
type exampleTB struct{}

func (exampleTB) Helper()                        {}
func (exampleTB) Cleanup(func())                 {}
func (exampleTB) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (exampleTB) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
