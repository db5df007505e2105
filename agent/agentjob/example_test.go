package agentjob_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/cacheu/plumbline/agent/agentjob"
	"github.com/cacheu/plumbline/agent/agenttest"
	"github.com/cacheu/plumbline/agent/catalog"
)

// An attempt at a job that fails and will be made again, and the state of its
// queue.
func Example() {
	ctx := context.Background()
	rec := agenttest.New(exampleTB{}) // a service starts an agent
	a := rec.Agent()

	err := agentjob.ObserveQueue(a, "invites", func(context.Context) (int64, time.Duration, error) {
		return 3, 90 * time.Second, nil // yours: select count(*), now() - min(due) ...
	})
	if err != nil {
		log.Fatal(err)
	}
	err = agentjob.Run(ctx, a, agentjob.Job{
		Queue: "invites", Kind: "send_invite", Attempt: 1, MaxAttempts: 5, Due: time.Now(),
	}, func(context.Context) error {
		return errors.New("the mail server is busy")
	})

	fmt.Println(err)
	for _, m := range rec.Metric(catalog.Jobs) {
		l := agenttest.Labels(m)
		fmt.Println(l[string(catalog.Queue)], l[string(catalog.Outcome)], m.GetCounter().GetValue())
	}
	for _, m := range rec.Metric(catalog.JobQueueDepth) {
		fmt.Println("waiting:", m.GetGauge().GetValue())
	}
	// Output:
	// the mail server is busy
	// invites retry 1
	// waiting: 3
}

// exampleTB stands in for the testing.T that an example does not have.
type exampleTB struct{}

func (exampleTB) Helper()                        {}
func (exampleTB) Cleanup(func())                 {}
func (exampleTB) Errorf(format string, a ...any) { fmt.Printf(format+"\n", a...) }
func (exampleTB) Fatalf(format string, a ...any) { log.Fatalf(format, a...) }
