package config_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/config"
)

func parse(args string, env map[string]string) (config.Config, error) {
	return config.Parse(strings.Fields(args), func(k string) string { return env[k] }, io.Discard)
}

func TestEveryRoleRunsWithNextToNothing(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://u:p@127.0.0.1:15432/shop"}
	for role, want := range map[string]string{
		config.Gateway: "127.0.0.1:8080 127.0.0.1:9464",
		config.API:     "127.0.0.1:8081 127.0.0.1:9465",
		config.Email:   "127.0.0.1:8082 127.0.0.1:9466",
		config.Worker:  "127.0.0.1:8083 127.0.0.1:9467",
		config.Load:    " 127.0.0.1:9468",
		config.Links:   " 127.0.0.1:9469",
		config.Migrate: " ",
		config.Redis:   " ",
	} {
		c, err := parse("--role "+role, env)
		if err != nil {
			t.Errorf("%s: %v", role, err)
		}
		if got := c.Listen + " " + c.AdminAddr; got != want || c.Role != role {
			t.Errorf("%s listens on %q, want %q", role, got, want)
		}
	}
}

func TestFlagsWinOverTheEnvironmentAndThatOverDefaults(t *testing.T) {
	t.Parallel()
	c, err := parse("--role gateway", nil)
	if err != nil || c.APIURL.String() != "http://127.0.0.1:8081" {
		t.Errorf("by default: %v %v", c.APIURL, err)
	}
	env := map[string]string{"LISTEN_ADDR": "0.0.0.0:1", "API_URL": "http://api:1/"}
	if c, err = parse("--role gateway", env); err != nil || c.Listen != "0.0.0.0:1" || c.APIURL.String() != "http://api:1" {
		t.Errorf("by environment: %s %v %v", c.Listen, c.APIURL, err)
	}
	if c, err = parse("--role gateway --listen :0 --api-url https://x", env); err != nil || c.Listen != ":0" || c.APIURL.String() != "https://x" {
		t.Errorf("by flag: %s %v %v", c.Listen, c.APIURL, err)
	}
	if c, err = parse("--role load", map[string]string{"LOAD_RATE": "2.5"}); err != nil || c.LoadRate != 2.5 {
		t.Errorf("rate: %v %v", c.LoadRate, err)
	}
	if c, err = parse("--role redis", map[string]string{"REDIS_PASSWORD": "x"}); err != nil || c.RedisPassword != "x" || c.RedisAddr != "127.0.0.1:16379" {
		t.Errorf("redis: %+v %v", c, err)
	}
}

func TestEverythingThatIsWrongIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	for sentence, c := range map[string]struct {
		args string
		env  map[string]string
		want string
	}{
		"no role":           {"", nil, `--role is "": want one of gateway, api, email, worker, load, links, migrate, redis, probe`},
		"an unknown role":   {"--role cook", nil, `--role is "cook": want one of gateway, api, email, worker, load, links, migrate, redis, probe`},
		"an unknown flag":   {"--role api --colour red", nil, "flag provided but not defined: -colour"},
		"a stray argument":  {"--role api now", nil, `unexpected argument "now": everything is a flag`},
		"all of the worker": {"--role worker --listen x", map[string]string{"EMAIL_URL": "ftp://x"}, "--listen: \"x\" is not host:port with a port of 0 to 65535\nDATABASE_URL: required, for example postgres://user:password@127.0.0.1:15432/shop\nEMAIL_URL: want a URL such as http://127.0.0.1:8081, without user and query"},
		"a port too large":  {"--role gateway --listen :65536", nil, "--listen: \":65536\" is not host:port with a port of 0 to 65535"},
		"a rate of nothing": {"--role load", map[string]string{"LOAD_RATE": "0"}, `LOAD_RATE: "0" is not a rate: want more than 0 and at most 5000 requests per second`},
		"a rate that is no number": {"--role load", map[string]string{"LOAD_RATE": "NaN"},
			`LOAD_RATE: "NaN" is not a rate: want more than 0 and at most 5000 requests per second`},
		"a limit below none": {"--role api --limit -1", map[string]string{"DATABASE_URL": "postgres://u:p@h/d"},
			`--limit: "-1" is not a limit: want 1 to 10000 requests at a time, or 0 for none`},
		"a probe of nothing": {"--role probe", nil, "PROBE_URL: required, for example http://127.0.0.1:8081/readyz"},
		"a database that is none, with its password kept secret": {"--role migrate", map[string]string{"DATABASE_URL": "mysql://u:hunter2@h/d"},
			"DATABASE_URL: want postgres://user:password@host:port/database (the value is not shown)"},
		"a database URL that does not parse, with its password kept secret": {"--role migrate", map[string]string{"DATABASE_URL": "postgres://u:hunter2@h:x/d"},
			"DATABASE_URL: want postgres://user:password@host:port/database (the value is not shown)"},
	} {
		t.Run(sentence, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(c.args, c.env); err == nil || err.Error() != c.want {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

func TestHelpNamesEveryVariable(t *testing.T) {
	t.Parallel()
	var help bytes.Buffer
	if _, err := config.Parse([]string{"--help"}, func(string) string { return "" }, &help); !errors.Is(err, config.ErrHelp) {
		t.Errorf("got %v, want ErrHelp", err)
	}
	for _, want := range []string{"-role", "LISTEN_ADDR", "DATABASE_URL", "REDIS_ADDR", "REDIS_PASSWORD", "API_URL", "EMAIL_URL", "GATEWAY_URL", "LOAD_RATE", "PROBE_URL"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("the help text lacks %s:\n%s", want, help.String())
		}
	}
}

func TestReplicasHaveNamesAndAddresses(t *testing.T) {
	t.Parallel()
	env := map[string]string{"DATABASE_URL": "postgres://u:p@127.0.0.1:1/shop"}
	if c, err := parse("--role api", env); err != nil || len(c.Replicas) != 0 {
		t.Errorf("none: %v, %v", c.Replicas, err)
	}
	env["DATABASE_REPLICAS"] = "one=postgres://u:p@127.0.0.1:2/shop?sslmode=disable, two=postgres://u:p@127.0.0.1:3/shop"
	c, err := parse("--role api", env)
	if err != nil || len(c.Replicas) != 2 || c.Replicas[0].Name != "one" || c.Replicas[1].URL != "postgres://u:p@127.0.0.1:3/shop" {
		t.Errorf("two: %v, %v", c.Replicas, err)
	}
	for name, bad := range map[string]string{
		"no name": "postgres://u:hunter2@h/shop", "no address": "one=", "a name twice": "a=postgres://u:hunter2@h/shop,a=postgres://u:hunter2@h/shop",
		"nothing between": "a=postgres://u:hunter2@h/shop,,b=postgres://u:hunter2@h/shop",
	} {
		env["DATABASE_REPLICAS"] = bad
		if _, err := parse("--role api", env); err == nil || !strings.Contains(err.Error(), "DATABASE_REPLICAS") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
