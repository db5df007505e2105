package stage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/gin-gonic/gin"
	"github.com/jackc/pgx/v5"

	"github.com/cacheu/plumbline/agent/agenthttp"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
	"github.com/cacheu/plumbline/sampleapp/scenario"
)

// The parts of a shop that is split.
const (
	partAuth    = "auth"
	partOrders  = "orders"
	partPayment = "payments"
)

// Facts of the scenario microservices.
const (
	factWireBytes = "wire_bytes"
	factUnpaid    = "orders_without_payment"
)

const shopTables = `create table if not exists checkouts (id bigint generated always as identity primary key, user_id bigint not null, cents bigint not null);
	create table if not exists payments (checkout_id bigint primary key, signature text not null)`

// microservices checks a buyer out: by function calls within one transaction,
// or by calls of three services. Its event kills the payments, where they are a
// service.
func microservices(ctx context.Context, env Env, variant, part string) (*Set, error) {
	switch part {
	case partAuth, partOrders, partPayment:
		return shopService(env, part), nil
	case Main:
	default:
		return nil, unknownPart(part)
	}
	if err := exec(ctx, env.DB, shopTables); err != nil {
		return nil, err
	}
	set := &Set{}
	var wire atomic.Int64
	buy := func(ctx context.Context, user, cents int64) error { return buyInOneProcess(ctx, env, user, cents) }
	if variant != scenario.Before {
		started := env.parts()
		remote := &remoteShop{client: &http.Client{Timeout: timeout, Transport: agenthttp.Transport(env.Agent, countingTransport(&wire))}}
		for part, address := range map[string]*string{partAuth: &remote.auth, partOrders: &remote.orders, partPayment: &remote.payments} {
			running, err := started.start(ctx, part)
			if err != nil {
				return nil, errors.Join(err, started.close())
			}
			*address = running.URL
		}
		buy, set.Close = remote.buy, started.close
		set.Event = func(context.Context) error { return started.running[partPayment].Kill() }
		set.Reset = func(ctx context.Context) error {
			again, err := started.start(ctx, partPayment)
			remote.setPayments(again.URL)
			return err
		}
	}
	engine := env.engine()
	engine.POST("/api/checkout", env.handle(func(c *gin.Context) error {
		user, err := web.ID("user_id", c.Query("user_id"))
		if err != nil {
			return err
		}
		if err := buy(c.Request.Context(), user, 1999); err != nil {
			return err
		}
		c.JSON(http.StatusCreated, gin.H{"status": "paid"})
		return nil
	}))
	set.Handler = engine
	set.Facts = func(ctx context.Context) (map[string]float64, error) {
		var unpaid float64
		err := env.DB.QueryRow(ctx, `select count(*) from checkouts c where not exists (select from payments p where p.checkout_id = c.id)`).Scan(&unpaid)
		return map[string]float64{factWireBytes: float64(wire.Load()), factUnpaid: unpaid}, err
	}
	return set, nil
}

// buyInOneProcess is all or nothing: one transaction.
func buyInOneProcess(ctx context.Context, env Env, user, cents int64) error {
	return store.InTx(ctx, env.DB, func(tx pgx.Tx) error {
		if err := authenticate(ctx, tx, user); err != nil {
			return err
		}
		id, err := placeCheckout(ctx, tx, user, cents)
		if err != nil {
			return err
		}
		return pay(ctx, tx, id)
	})
}

func authenticate(ctx context.Context, db store.DB, user int64) error {
	exists, err := store.UserExists(ctx, db, user)
	if err == nil && !exists {
		err = web.NotFound("user_id", user)
	}
	return err
}

func placeCheckout(ctx context.Context, db store.DB, user, cents int64) (id int64, err error) {
	err = db.QueryRow(ctx, "insert into checkouts (user_id, cents) values ($1, $2) returning id", user, cents).Scan(&id)
	return id, err
}

func pay(ctx context.Context, db store.DB, checkout int64) error {
	sum := sha256.Sum256([]byte(strconv.FormatInt(checkout, 10)))
	_, err := db.Exec(ctx, "insert into payments (checkout_id, signature) values ($1, $2)", checkout, hex.EncodeToString(sum[:]))
	return err
}

// step is what the services say to each other.
type step struct {
	UserID     int64 `json:"user_id"`
	Cents      int64 `json:"cents"`
	CheckoutID int64 `json:"checkout_id"`
}

// shopService is one of the three services: the same functions, each with a
// database connection of its own, so no transaction holds them together.
func shopService(env Env, part string) *Set {
	engine := env.engine()
	engine.POST("/"+part, env.handle(func(c *gin.Context) error {
		var s step
		err := web.Body(c.Writer, c.Request, &s)
		ctx := c.Request.Context()
		switch {
		case err != nil:
			return err
		case part == partAuth:
			err = authenticate(ctx, env.DB, s.UserID)
		case part == partOrders:
			s.CheckoutID, err = placeCheckout(ctx, env.DB, s.UserID, s.Cents)
		default:
			err = pay(ctx, env.DB, s.CheckoutID)
		}
		if err != nil {
			return err
		}
		c.JSON(http.StatusOK, s)
		return nil
	}))
	return &Set{Handler: engine}
}

// remoteShop calls the services.
type remoteShop struct {
	client                 *http.Client
	auth, orders, payments string
	restarted              atomic.Pointer[string] // the payments' address after a restart
}

func (r *remoteShop) setPayments(url string) { r.restarted.Store(&url) }

func (r *remoteShop) buy(ctx context.Context, user, cents int64) error {
	s := step{UserID: user, Cents: cents}
	if err := r.call(ctx, r.auth+"/"+partAuth, &s); err != nil {
		return err
	}
	if err := r.call(ctx, r.orders+"/"+partOrders, &s); err != nil {
		return err
	}
	payments := r.payments
	if again := r.restarted.Load(); again != nil {
		payments = *again
	}
	if err := r.call(ctx, payments+"/"+partPayment, &s); err != nil {
		// The order stands and is not paid. To undo it takes another call, which
		// can fail as well: this is where the work begins that a transaction did.
		return fmt.Errorf("order %d was placed and not paid: %w", s.CheckoutID, err)
	}
	return nil
}

func (r *remoteShop) call(ctx context.Context, url string, s *step) error {
	body, err := json.Marshal(s)
	if err != nil {
		return fmt.Errorf("encode a step: %w", err)
	}
	answer, err := call(ctx, r.client, http.MethodPost, url, body)
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, s)
}

// countingTransport adds up the bytes that pass its connections.
func countingTransport(bytes *atomic.Int64) *http.Transport {
	var dialer net.Dialer
	return &http.Transport{
		MaxIdleConnsPerHost: 64,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return &countingConn{conn, bytes}, nil
		},
	}
}

type countingConn struct {
	net.Conn
	bytes *atomic.Int64
}

// Read implements [net.Conn].
func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

// Write implements [net.Conn].
func (c *countingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}
