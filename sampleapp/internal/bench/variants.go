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
// with a database of its own, and returns them as targets, which close what
// was started. After an error nothing is left running.
func StartVariants(ctx context.Context, spec scenario.Spec, l scenario.Load, s *Servers) (targets []Target, err error) {
	defer func() {
		if err != nil {
			for _, t := range targets {
				err = errors.Join(err, t.Close())
			}
			targets = nil
		}
	}()
	for _, v := range spec.Variants {
		name := strings.NewReplacer("-", "_").Replace(spec.Name + "_" + v.Name)
		database, err := s.Database(ctx, name)
		if err != nil {
			return targets, err
		}
		p, err := startProcess(ctx, Role{spec.Name, v.Name, stage.Main}, []string{
			EnvDatabase + "=" + database, EnvRedis + "=" + s.RedisAddr, EnvRows + "=" + strconv.Itoa(l.Rows),
		})
		if err != nil {
			return targets, fmt.Errorf("start the variant %s: %w", v.Name, err)
		}
		targets = append(targets, Target{
			Name: v.Name, Does: v.Does, Base: p.ready.URL, Metrics: p.ready.Metrics, Control: p.ready.URL, Close: p.stop,
		})
	}
	return targets, nil
}
