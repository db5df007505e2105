package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cacheu/plumbline/sampleapp/internal/pricing"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/testdb"
)

type order struct {
	ID         int64  `json:"id"`
	UserID     int64  `json:"user_id"`
	Region     string `json:"region"`
	Status     string `json:"status"`
	NetCents   int64  `json:"net_cents"`
	TaxCents   int64  `json:"tax_cents"`
	TotalCents int64  `json:"total_cents"`
	Lines      []struct {
		ProductID      int64  `json:"product_id"`
		Category       string `json:"category"`
		Quantity       int    `json:"quantity"`
		UnitPriceCents int64  `json:"unit_price_cents"`
		NetCents       int64  `json:"net_cents"`
		TaxCents       int64  `json:"tax_cents"`
	} `json:"lines"`
}

type orderPage struct {
	Orders     []order `json:"orders"`
	NextBefore int64   `json:"next_before"`
}

func TestOrderCostsWhatPricesAndTaxSay(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	// Prices, categories and a region that a person can check by hand.
	for _, sql := range []string{
		"update users set region = 'north' where id = 9",
		"update products set price_cents = 999, category = 'toys' where id = 3",
		"update products set price_cents = 1250, category = 'books' where id = 4",
	} {
		if _, err := s.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	status, answer, queries := s.call("POST", "/api/orders",
		`{"user_id": 9, "lines": [{"product_id": 3, "quantity": 5}, {"product_id": 4, "quantity": 2}, {"product_id": 3, "quantity": 1}]}`)
	// Begin, two inserts and commit; before them, the user and all products.
	if status != 201 || queries != 6 {
		t.Fatalf("answered %d %s with %d statements, want 201 with 6", status, answer, queries)
	}
	var o order
	if err := json.Unmarshal([]byte(answer), &o); err != nil {
		t.Fatal(err)
	}
	// 5 * 9.99 - 5 % = 47.45 (47.4525), 25 % of it 11.86 (11.863);
	// 2 * 12.50 = 25.00, 12 % of it 3.00; 9.99, 25 % of it 2.50 (2.4975).
	const want = "9 north placed 8244 1736 9980 [{3 toys 5 999 4745 1186} {4 books 2 1250 2500 300} {3 toys 1 999 999 250}]"
	if got := strings.TrimSpace(fmt.Sprintln(o.UserID, o.Region, o.Status, o.NetCents, o.TaxCents, o.TotalCents, o.Lines)); got != want {
		t.Errorf("the order is %s, want %s", got, want)
	}
	if first := int64(testdb.SmallSizes().Orders + 1); o.ID != first {
		t.Errorf("its id is %d, want %d", o.ID, first)
	}
	const stored = "select net_cents || ' ' || tax_cents || ' ' || total_cents from orders where id = $1"
	if got := row[string](s, stored, o.ID); got != "8244 1736 9980" {
		t.Errorf("stored: %s", got)
	}
	// It is the newest of its user, and reads as it was answered.
	page, queries := get[orderPage](s, "/api/orders?user_id=9&limit=1")
	if len(page.Orders) != 1 || fmt.Sprint(page.Orders[0]) != fmt.Sprint(o) || page.NextBefore != o.ID || queries != 2 {
		t.Errorf("the list is %+v with %d statements, want the new order with 2", page, queries)
	}
	// A later price leaves the order as it is.
	if _, err := s.db.Exec(t.Context(), "update products set price_cents = 1, category = 'food' where id = 3"); err != nil {
		t.Fatal(err)
	}
	if page, _ := get[orderPage](s, "/api/orders?user_id=9&limit=1"); fmt.Sprint(page.Orders[0]) != fmt.Sprint(o) {
		t.Errorf("after a change of price it is %+v, want %+v", page.Orders[0], o)
	}
}

func TestOrdersOfAUserComeInPagesNewestFirst(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	user := row[int64](s, "select user_id from orders group by user_id order by count(*) desc, user_id limit 1")
	want := row[[]int64](s, "select array_agg(id order by id desc) from orders where user_id = $1", user)
	var got []int64
	before := ""
	for pages := 0; pages == 0 || before != ""; pages++ {
		page, queries := get[orderPage](s, fmt.Sprintf("/api/orders?user_id=%d&limit=7%s", user, before))
		if queries > 2 {
			t.Errorf("a page took %d statements, want at most 2", queries)
		}
		for _, o := range page.Orders {
			got = append(got, o.ID)
			sum := pricing.Amount{}
			for _, l := range o.Lines {
				sum.Net += l.NetCents
				sum.Tax += l.TaxCents
			}
			if sum.Net != o.NetCents || sum.Tax != o.TaxCents || sum.Net+sum.Tax != o.TotalCents || len(o.Lines) == 0 {
				t.Errorf("order %d has lines of %+v and says %+v", o.ID, sum, o)
			}
		}
		if before = ""; page.NextBefore > 0 {
			before = fmt.Sprint("&before=", page.NextBefore)
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("pages hold the orders %v, want %v", got, want)
	}
}

func TestOrdersOfANewUserAreAnEmptyList(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := row[int64](s, "insert into users (name, email, region) values ('New', 'new@example.com', 'east') returning id")
	if _, answer, _ := s.call("GET", fmt.Sprint("/api/orders?user_id=", id), ""); answer != `{"orders":[]}` {
		t.Errorf("got %s, want an empty list", answer)
	}
}

func TestOrderThatDoesNotAddUpIsNotShown(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	id := row[int64](s, "update orders set net_cents = net_cents + 1, total_cents = total_cents + 1 where id = 77 returning user_id")
	if status, answer, _ := s.call("GET", fmt.Sprint("/api/orders?limit=100&user_id=", id), ""); status != 500 || answer != `{"error":"internal error"}` {
		t.Errorf("got %d %s, want 500 without details", status, answer)
	}
}

func TestInviteIsSavedAndQueuedTogether(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	status, answer, _ := s.call("POST", "/api/invites", `{"inviter_id": 8, "email": " Friend@Example.com "}`)
	var invite store.Invite
	if err := json.Unmarshal([]byte(answer), &invite); err != nil {
		t.Fatal(err)
	}
	if status != 202 || invite.InviterID != 8 || invite.Email != "friend@example.com" || invite.Status != "queued" {
		t.Errorf("answered %d %s, want 202 and a queued invite to friend@example.com", status, answer)
	}
	name := row[string](s, "select name from users where id = 8")
	job := row[string](s, "select queue || ' ' || kind || ' ' || state || ' ' || args from river_job")
	want := fmt.Sprintf(`invites send_invite available {"email": "friend@example.com", "invite_id": %d, "inviter_name": "%s"}`, invite.ID, name)
	if job != want {
		t.Errorf("the job is %s, want %s", job, want)
	}
	// The same invite again is the same invite, and no second email.
	status, again, _ := s.call("POST", "/api/invites", `{"inviter_id": 8, "email": "friend@example.com"}`)
	if status != 200 || again != answer {
		t.Errorf("the second time: %d %s, want 200 %s", status, again, answer)
	}
	if n := row[int](s, "select count(*)::int from river_job"); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
}

func TestInviteWithoutJobIsNotSaved(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	if _, err := s.db.Exec(t.Context(), "alter table river_job add constraint broken check (queue <> 'invites')"); err != nil {
		t.Fatal(err)
	}
	status, answer, _ := s.call("POST", "/api/invites", `{"inviter_id": 8, "email": "a@example.com"}`)
	if status != 500 || answer != `{"error":"internal error"}` {
		t.Errorf("answered %d %s, want 500 without details", status, answer)
	}
	if n := row[int](s, "select count(*)::int from invites"); n != 0 {
		t.Errorf("%d invites without a job, want none", n)
	}
}

func TestJobOfAnInviteThatIsNotSavedDoesNotExist(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	// Everything goes well until the very end: the commit fails.
	for _, sql := range []string{
		"create function refuse() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$",
		"create constraint trigger refuse after insert on invites deferrable initially deferred for each row execute function refuse()",
	} {
		if _, err := s.db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if status, answer, _ := s.call("POST", "/api/invites", `{"inviter_id": 8, "email": "a@example.com"}`); status != 500 {
		t.Errorf("answered %d %s, want 500", status, answer)
	}
	if n := row[string](s, "select (select count(*) from invites) || ' ' || (select count(*) from river_job)"); n != "0 0" {
		t.Errorf("invites and jobs: %s, want 0 0", n)
	}
}

func TestSameInviteAtTheSameTimeIsOneInvite(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	var wg sync.WaitGroup
	statuses := make([]int, 8)
	for i := range statuses {
		wg.Go(func() {
			statuses[i], _, _ = s.call("POST", "/api/invites", `{"inviter_id": 8, "email": "a@example.com"}`)
		})
	}
	wg.Wait()
	created := 0
	for _, status := range statuses {
		switch status {
		case 202:
			created++
		case 200:
		default:
			t.Errorf("status %d, want 202 or 200", status)
		}
	}
	if n := row[string](s, "select (select count(*) from invites) || ' ' || (select count(*) from river_job)"); n != "1 1" || created != 1 {
		t.Errorf("invites and jobs: %s, answered as new %d times, want 1 1 and once", n, created)
	}
}
