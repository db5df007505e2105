package scripts_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

func runSecrets(t *testing.T, folder string) {
	t.Helper()
	out, err := exec.Command("sh", script(t, "compose", "secrets.sh"), folder).CombinedOutput()
	if err != nil {
		t.Fatalf("secrets.sh: %v: %s", err, out)
	}
	if len(out) > 0 {
		t.Errorf("secrets.sh prints %q, want nothing: it might be a password", out)
	}
}

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(folder, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

func TestSecretsAreRandomAndOutOfReachOfOtherUsers(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "secrets")
	runSecrets(t, folder)
	info, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o700 {
		t.Errorf("the folder is %o, want 700", got)
	}
	files := contents(t, folder)
	password := regexp.MustCompile(`^[0-9a-f]{64}\n$`)
	for _, name := range []string{"postgres_password", "grafana_admin_password"} {
		if !password.MatchString(files[name]) {
			t.Errorf("%s holds %q, want 32 bytes in hexadecimal", name, files[name])
		}
	}
	if files["postgres_password"] == files["grafana_admin_password"] {
		t.Error("both passwords are the same")
	}
	if want := "*:*:*:plumbline:" + files["postgres_password"]; files["pgpass"] != want {
		t.Errorf("pgpass holds %q, want %q", files["pgpass"], want)
	}
	if len(files) != 3 {
		t.Errorf("the folder holds %d files, want 3", len(files))
	}

	other := filepath.Join(t.TempDir(), "secrets")
	runSecrets(t, other)
	if contents(t, other)["postgres_password"] == files["postgres_password"] {
		t.Error("two labs got the same password")
	}
}

func TestSecretsAreMadeOnce(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "secrets")
	runSecrets(t, folder)
	before := contents(t, folder)
	// A first run that was cut short left an empty file and no pgpass.
	if err := os.Truncate(filepath.Join(folder, "grafana_admin_password"), 0); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, "pgpass")); err != nil {
		t.Fatal(err)
	}
	runSecrets(t, folder)
	after := contents(t, folder)
	if after["postgres_password"] != before["postgres_password"] || after["pgpass"] != before["pgpass"] {
		t.Error("a second run changed the password of a database that has it")
	}
	if len(after["grafana_admin_password"]) != 65 {
		t.Errorf("a second run left %q, want a password", after["grafana_admin_password"])
	}
}
