package agentsql_test

import "database/sql/driver"

// shapes is the number of combinations of the parts that a connection may have:
// executing, querying, resetting, validating, and the rest of them together.
const shapes = 1 << 5

// shaped returns a connection with the parts that the bits of f.shape stand for.
func shaped(f *fake, c *fakeConn) driver.Conn {
	e, q, r, v, x := withExec{c}, withQuery{c}, withReset{c}, withValid{c}, withRest{c}
	if f.old {
		return oldShaped(f, c)
	}
	switch f.shape {
	case 1:
		return struct {
			*fakeConn
			withExec
		}{c, e}
	case 2:
		return struct {
			*fakeConn
			withQuery
		}{c, q}
	case 3:
		return struct {
			*fakeConn
			withExec
			withQuery
		}{c, e, q}
	case 4:
		return struct {
			*fakeConn
			withReset
		}{c, r}
	case 5:
		return struct {
			*fakeConn
			withExec
			withReset
		}{c, e, r}
	case 6:
		return struct {
			*fakeConn
			withQuery
			withReset
		}{c, q, r}
	case 7:
		return struct {
			*fakeConn
			withExec
			withQuery
			withReset
		}{c, e, q, r}
	case 8:
		return struct {
			*fakeConn
			withValid
		}{c, v}
	case 9:
		return struct {
			*fakeConn
			withExec
			withValid
		}{c, e, v}
	case 10:
		return struct {
			*fakeConn
			withQuery
			withValid
		}{c, q, v}
	case 11:
		return struct {
			*fakeConn
			withExec
			withQuery
			withValid
		}{c, e, q, v}
	case 12:
		return struct {
			*fakeConn
			withReset
			withValid
		}{c, r, v}
	case 13:
		return struct {
			*fakeConn
			withExec
			withReset
			withValid
		}{c, e, r, v}
	case 14:
		return struct {
			*fakeConn
			withQuery
			withReset
			withValid
		}{c, q, r, v}
	case 15:
		return struct {
			*fakeConn
			withExec
			withQuery
			withReset
			withValid
		}{c, e, q, r, v}
	case 16:
		return struct {
			*fakeConn
			withRest
		}{c, x}
	case 17:
		return struct {
			*fakeConn
			withExec
			withRest
		}{c, e, x}
	case 18:
		return struct {
			*fakeConn
			withQuery
			withRest
		}{c, q, x}
	case 19:
		return struct {
			*fakeConn
			withExec
			withQuery
			withRest
		}{c, e, q, x}
	case 20:
		return struct {
			*fakeConn
			withReset
			withRest
		}{c, r, x}
	case 21:
		return struct {
			*fakeConn
			withExec
			withReset
			withRest
		}{c, e, r, x}
	case 22:
		return struct {
			*fakeConn
			withQuery
			withReset
			withRest
		}{c, q, r, x}
	case 23:
		return struct {
			*fakeConn
			withExec
			withQuery
			withReset
			withRest
		}{c, e, q, r, x}
	case 24:
		return struct {
			*fakeConn
			withValid
			withRest
		}{c, v, x}
	case 25:
		return struct {
			*fakeConn
			withExec
			withValid
			withRest
		}{c, e, v, x}
	case 26:
		return struct {
			*fakeConn
			withQuery
			withValid
			withRest
		}{c, q, v, x}
	case 27:
		return struct {
			*fakeConn
			withExec
			withQuery
			withValid
			withRest
		}{c, e, q, v, x}
	case 28:
		return struct {
			*fakeConn
			withReset
			withValid
			withRest
		}{c, r, v, x}
	case 29:
		return struct {
			*fakeConn
			withExec
			withReset
			withValid
			withRest
		}{c, e, r, v, x}
	case 30:
		return struct {
			*fakeConn
			withQuery
			withReset
			withValid
			withRest
		}{c, q, r, v, x}
	case 31:
		return struct {
			*fakeConn
			withExec
			withQuery
			withReset
			withValid
			withRest
		}{c, e, q, r, v, x}
	}
	return c
}

// oldShapes are those that [oldShaped] knows.
func oldShapes() []int { return []int{1, 2, 3, 15} }

// oldShaped is shaped for connections whose parts know no context: executing
// and querying, resetting and validating together.
func oldShaped(f *fake, c *fakeConn) driver.Conn {
	e, q, r, v := withOldExec{c}, withOldQuery{c}, withReset{c}, withValid{c}
	switch f.shape {
	case 1:
		return struct {
			*fakeConn
			withOldExec
		}{c, e}
	case 2:
		return struct {
			*fakeConn
			withOldQuery
		}{c, q}
	case 3:
		return struct {
			*fakeConn
			withOldExec
			withOldQuery
		}{c, e, q}
	case 15:
		return struct {
			*fakeConn
			withOldExec
			withOldQuery
			withReset
			withValid
		}{c, e, q, r, v}
	}
	return c
}
