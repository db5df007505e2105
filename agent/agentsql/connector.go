package agentsql

import (
	"context"
	"database/sql/driver"
	"io"

	"github.com/cacheu/plumbline/agent"
)

// connector hands out measured connections.
type connector struct {
	driver.Connector
	source *source
}

var _ driver.Connector = connector{}

// Connect implements [driver.Connector]. Opening is charged to the request that
// waits for it.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	step := c.source.recorder.Step(ctx)
	inner, err := c.Connector.Connect(ctx)
	step.End()
	if err != nil {
		return nil, err
	}
	return c.source.conn(inner), nil
}

// connector wraps c and keeps its Close, which [sql.DB.Close] calls if it is
// there.
func (s *source) connector(c driver.Connector) driver.Connector {
	w := connector{c, s}
	if closer, ok := c.(io.Closer); ok {
		return struct {
			connector
			io.Closer
		}{w, closer}
	}
	return w
}

// dsnConnector is a connector for drivers that have none.
type dsnConnector struct {
	dsn    string
	driver driver.Driver
}

var _ driver.Connector = dsnConnector{}

// Connect implements [driver.Connector].
func (c dsnConnector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements [driver.Connector].
func (c dsnConnector) Driver() driver.Driver { return c.driver }

// wrappedDriver is a driver to be registered.
type wrappedDriver struct {
	agent *agent.Agent
	inner driver.Driver
	opts  []Option
}

var _ driver.Driver = wrappedDriver{}

// Open implements [driver.Driver].
func (d wrappedDriver) Open(dsn string) (driver.Conn, error) {
	inner, err := d.inner.Open(dsn)
	if err != nil {
		return nil, err
	}
	return newSource(d.agent, d.inner, "", dsn, d.opts).conn(inner), nil
}

// contextDriver is a wrappedDriver whose inner driver has connectors.
type contextDriver struct{ wrappedDriver }

var _ driver.DriverContext = contextDriver{}

// OpenConnector implements [driver.DriverContext].
func (d contextDriver) OpenConnector(dsn string) (driver.Connector, error) {
	inner, err := d.inner.(driver.DriverContext).OpenConnector(dsn)
	if err != nil {
		return nil, err
	}
	return newSource(d.agent, d.inner, "", dsn, d.opts).connector(inner), nil
}
