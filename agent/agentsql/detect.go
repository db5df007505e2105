package agentsql

import (
	"database/sql/driver"
	"net"
	"net/url"
	"reflect"
	"regexp"
	"strings"

	"github.com/cacheu/plumbline/agent/internal/dbcall"
)

// unknownSystem is the db.system.name of an SQL database that is not known.
const unknownSystem = "other_sql"

// systems are parts of the names of drivers and of their packages, and the
// db.system.name that they mean by the OpenTelemetry conventions. The first
// match counts.
var systems = []struct{ part, system string }{
	{"cockroach", "cockroachdb"},
	{"redshift", "aws.redshift"},
	{"postgres", "postgresql"},
	{"pgx", "postgresql"},
	{"/lib/pq", "postgresql"},
	{"pgdriver", "postgresql"},
	{"mariadb", "mariadb"},
	{"mysql", "mysql"},
	{"sqlite", "sqlite"},
	{"libsql", "sqlite"},
	{"mssql", "microsoft.sql_server"},
	{"sqlserver", "microsoft.sql_server"},
	{"azuresql", "microsoft.sql_server"},
	{"godror", "oracle.db"},
	{"goracle", "oracle.db"},
	{"go-ora", "oracle.db"},
	{"oracle", "oracle.db"},
	{"oci8", "oracle.db"},
	{"clickhouse", "clickhouse"},
	{"snowflake", "snowflake"},
	{"spanner", "gcp.spanner"},
	{"firebird", "firebirdsql"},
	{"duckdb", "duckdb"},
	{"trino", "trino"},
	{"presto", "presto"},
	{"databricks", "databricks"},
	{"hdb", "sap.hana"},
	{"db2", "ibm.db2"},
}

// systemOf tells the system from the name under which a driver is registered
// and from the package of its type.
func systemOf(name string, d driver.Driver) string {
	for _, text := range []string{name, packageOf(d)} {
		text = strings.ToLower(text)
		for _, s := range systems {
			if strings.Contains(text, s.part) {
				return s.system
			}
		}
	}
	return unknownSystem
}

func packageOf(d driver.Driver) string {
	if d == nil {
		return ""
	}
	t := reflect.TypeOf(d)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t.PkgPath()
}

// endpoint is where a database is. Empty and 0 are not known.
type endpoint struct {
	host     string
	port     uint16
	database string
}

// mysqlName is user:password@tcp(host:port)/database?options. A password may
// hold anything, so that the last @ counts; a user's name may not.
var mysqlName = regexp.MustCompile(`^[^@:/=\s]*(?::.*)?@tcp\(([^()]*)\)/([^/?]*)(?:\?.*)?$`)

// pair is one key=value of the names that PostgreSQL's own library takes;
// quoted values are left out.
var pair = regexp.MustCompile(`(?:^|\s)(host|port|dbname)\s*=\s*([^\s']+)`)

// endpointOf reads the address out of a data source name: a URL, or one of two
// other common forms. It gives up where it is not sure: a part of a password
// must never be taken for an address.
func endpointOf(dsn string) endpoint {
	if strings.Contains(dsn, "://") {
		u, err := url.Parse(dsn)
		switch at := strings.Count(dsn, "@"); {
		case err != nil, strings.Contains(u.Host, ","): // the latter are several servers
			return endpoint{}
		case at > 1, at == 1 && u.User == nil: // a password that should have been escaped
			return endpoint{}
		}
		return endpoint{u.Hostname(), dbcall.Port(u.Port()), strings.Trim(u.Path, "/")}
	}
	if m := mysqlName.FindStringSubmatch(dsn); m != nil {
		host, port, err := net.SplitHostPort(m[1])
		if err != nil {
			host = m[1]
		}
		return endpoint{host, dbcall.Port(port), m[2]}
	}
	var e endpoint
	if strings.ContainsAny(dsn, `'\`) {
		return e
	}
	for _, m := range pair.FindAllStringSubmatch(dsn, -1) {
		switch m[1] {
		case "host":
			e.host = m[2]
		case "port":
			e.port = dbcall.Port(m[2])
		case "dbname":
			e.database = m[2]
		}
	}
	return e
}
