package lab

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// prepare makes the directories and files that the planned components read. The
// run directory is made anew, so nothing of an earlier lab is read.
func (p *planner) prepare(specs []spec) error {
	if err := p.makeDirs(specs); err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	planned := names(specs)
	steps := map[string]func([]spec) error{
		"postgres": p.preparePostgres, "redis": p.prepareRedis, "prometheus": p.preparePrometheus,
	}
	for name, step := range steps {
		if !planned[name] {
			continue
		}
		if err := step(specs); err != nil {
			return fmt.Errorf("prepare %s: %w", name, err)
		}
	}
	return nil
}

// makeDirs makes the home's tree. Others may walk through it, because
// PostgreSQL's user must, but cannot list it; each component's data is closed.
func (p *planner) makeDirs(specs []spec) error {
	if err := os.RemoveAll(p.paths.run()); err != nil {
		return err
	}
	const walk, closed = 0o711, 0o700
	for _, dir := range []string{p.paths.run(), p.paths.logs(), p.paths.allData()} {
		if err := mkdir(dir, walk); err != nil {
			return err
		}
	}
	// Everybody's temporary files, as in /tmp.
	if err := mkdir(p.paths.tmp(), fs.ModeSticky|0o777); err != nil {
		return err
	}
	for _, s := range specs {
		if s.Once || s.Dir == p.paths.tmp() {
			continue
		}
		if err := mkdir(s.Dir, closed); err != nil {
			return err
		}
		if err := giveTo(s.Dir, s.User); err != nil {
			return err
		}
	}
	return nil
}

// mkdir makes a directory with exactly this mode, whatever the umask.
func mkdir(dir string, mode fs.FileMode) error {
	return errors.Join(os.MkdirAll(dir, mode.Perm()), os.Chmod(dir, mode))
}

// giveTo makes who, where there is one, the owner of path.
func giveTo(path string, who *account) error {
	if who == nil {
		return nil
	}
	return os.Chown(path, int(who.UID), int(who.GID))
}

// preparePostgres puts the start script where PostgreSQL's user can read it,
// and the password where nobody else can.
func (p *planner) preparePostgres([]spec) error {
	script, err := os.ReadFile(p.configFile("postgres", "start.sh"))
	if err != nil {
		return err
	}
	if err := writeFile(p.paths.runFile("postgres-start.sh"), script, 0o755); err != nil {
		return err
	}
	if err := mkdir(p.paths.postgresRun(), 0o700); err != nil {
		return err
	}
	password := filepath.Join(p.paths.postgresRun(), "password")
	return errors.Join(
		writeFile(password, []byte(p.secrets.Postgres+"\n"), 0o600),
		giveTo(password, p.account),
		giveTo(p.paths.postgresRun(), p.account),
	)
}

// prepareRedis writes the configuration of a real server; the built-in one
// needs none.
func (p *planner) prepareRedis([]spec) error {
	if p.tools.redis == "" {
		return nil
	}
	return writeFile(p.paths.runFile("redis.conf"), []byte(p.redisConf()), 0o600)
}

// preparePrometheus copies the configuration, which names its targets and rules
// relative to itself, writes the targets, and links the rules: a change of them
// needs a reload only.
func (p *planner) preparePrometheus(specs []spec) error {
	dir := p.paths.prometheus()
	if err := os.MkdirAll(filepath.Join(dir, "targets"), 0o755); err != nil {
		return err
	}
	config, err := os.ReadFile(p.configFile("prometheus", "prometheus.yml"))
	if err != nil {
		return err
	}
	if config, err = scrapeEvery(config, p.config.ScrapeInterval); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "prometheus.yml"), config, 0o644); err != nil {
		return err
	}
	for name, groups := range p.scrapeTargets(specs) {
		content, err := json.MarshalIndent(groups, "", "  ")
		if err != nil {
			return err
		}
		if err := writeFile(filepath.Join(dir, "targets", name), content, 0o644); err != nil {
			return err
		}
	}
	rules := cmp.Or(p.config.Rules, filepath.Join(p.config.Root, "alerts", "generated", "prometheus", "native"))
	return os.Symlink(rules, filepath.Join(dir, "rules"))
}

// scrapeEvery sets the interval of scrapes, and their time-out, in a
// configuration of Prometheus. Zero leaves both.
func scrapeEvery(config []byte, interval time.Duration) ([]byte, error) {
	if interval == 0 {
		return config, nil
	}
	for _, setting := range []string{"scrape_interval", "scrape_timeout"} {
		line := regexp.MustCompile(`(?m)^  ` + setting + `: .*$`)
		if !line.Match(config) {
			return nil, fmt.Errorf("there is no %s to set", setting)
		}
		config = line.ReplaceAll(config, []byte("  "+setting+": "+interval.String()))
	}
	return config, nil
}
