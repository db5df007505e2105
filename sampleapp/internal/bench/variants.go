package bench

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/cacheu/plumbline/sampleapp/internal/stage"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// StartVariants starts every variant of a scenario as a process of its own,
// with a database of its own and the replica that the scenario asks for, and
// returns them as targets, which close what was started, in their order. After an error nothing is left running.
func StartVariants(ctx context.Context, spec scenario.Spec, l scenario.Load, s *Servers) (targets []Target, err error) {
	defer func() {
		if err != nil {
			for _, t := range targets {
				err = errors.Join(err, t.Close())
			}
			targets = nil
		}
	}()
	var urls []string
	for _, v := range spec.Variants {
		url, err := s.Database(ctx, databaseName(spec, v))
		if err != nil {
			return targets, err
		}
		urls = append(urls, url)
	}
	if spec.ReplicaDelay > 0 { // it begins as a copy, with all databases in it
		if err := s.startReplica(spec.ReplicaDelay); err != nil {
			return targets, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, s.stopReplica())
				return
			}
			last := &targets[len(targets)-1] // they are closed in their order
			stop := last.Close
			last.Close = func() error { return errors.Join(stop(), s.stopReplica()) }
		}()
	}
	for i, v := range spec.Variants {
		env := []string{EnvDatabase + "=" + urls[i], EnvRedis + "=" + s.RedisAddr, EnvRows + "=" + strconv.Itoa(l.Rows)}
		if s.replica != nil {
			env = append(env, EnvReplica+"="+s.replica.URL(databaseName(spec, v)))
		}
		p, err := startProcess(ctx, Role{spec.Name, v.Name, stage.Main}, env)
		if err != nil {
			return targets, fmt.Errorf("start the variant %s: %w", v.Name, err)
		}
		targets = append(targets, Target{
			Name: v.Name, Does: v.Does, Base: p.ready.URL, Metrics: p.ready.Metrics, Control: p.ready.URL, Close: p.stop,
		})
	}
	return targets, nil
}

// databaseName is the name of a variant's database.
func databaseName(spec scenario.Spec, v scenario.Variant) string {
	return strings.ReplaceAll(spec.Name+"_"+v.Name, "-", "_")
}
