package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/cacheu/plumbline/sampleapp/internal/cache"
	"github.com/cacheu/plumbline/sampleapp/internal/store"
	"github.com/cacheu/plumbline/sampleapp/internal/web"
)

// getUser answers GET /api/users/:id.
func (h handlers) getUser(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	user, err := h.user(c.Request.Context(), "id", id)
	if err != nil {
		return err
	}
	c.JSON(http.StatusOK, user)
	return nil
}

// user returns a user from the cache or the database; field is what a 404
// names.
func (h handlers) user(ctx context.Context, field string, id int64) (store.User, error) {
	user, err := cache.Get(ctx, h.Cache, fmt.Sprintf("user:%d", id), cacheTTL,
		func(ctx context.Context) (store.User, error) {
			return read(ctx, h, func(ctx context.Context, db store.DB) (store.User, error) { return store.GetUser(ctx, db, id) })
		})
	return user, notFound(err, field, id)
}

// getProduct answers GET /api/products/:id.
func (h handlers) getProduct(c *gin.Context) error {
	id, err := web.ID("id", c.Param("id"))
	if err != nil {
		return err
	}
	product, err := cache.Get(c.Request.Context(), h.Cache, fmt.Sprintf("product:%d", id), cacheTTL,
		func(ctx context.Context) (store.Product, error) {
			return read(ctx, h, func(ctx context.Context, db store.DB) (store.Product, error) { return store.GetProduct(ctx, db, id) })
		})
	if err != nil {
		return notFound(err, "id", id)
	}
	c.JSON(http.StatusOK, product)
	return nil
}

// listProducts answers GET /api/products?limit=&after=.
func (h handlers) listProducts(c *gin.Context) error {
	limit, err := web.Limit(c.Query("limit"), defaultPage, maxPage)
	if err != nil {
		return err
	}
	after, err := web.OptionalID("after", c.Query("after"), 0)
	if err != nil {
		return err
	}
	products, err := cache.Get(c.Request.Context(), h.Cache, fmt.Sprintf("products:%d:%d", after, limit), cacheTTL,
		func(ctx context.Context) ([]store.Product, error) {
			return read(ctx, h, func(ctx context.Context, db store.DB) ([]store.Product, error) {
				return store.ListProducts(ctx, db, after, limit)
			})
		})
	if err != nil {
		return err
	}
	page := gin.H{"products": products}
	if len(products) == limit {
		page["next_after"] = products[limit-1].ID
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// listPosts answers GET /api/posts?limit=&before=.
func (h handlers) listPosts(c *gin.Context) error {
	limit, err := web.Limit(c.Query("limit"), defaultPage, maxPage)
	if err != nil {
		return err
	}
	before, err := web.OptionalID("before", c.Query("before"), newest)
	if err != nil {
		return err
	}
	list := store.ListPosts
	if h.Faults.Active().NPlusOne {
		list = store.ListPostsOneByOne
	}
	posts, err := read(c.Request.Context(), h, func(ctx context.Context, db store.DB) ([]store.Post, error) {
		return list(ctx, db, before, limit)
	})
	if err != nil {
		return err
	}
	page := gin.H{"posts": posts}
	if len(posts) == limit {
		page["next_before"] = posts[limit-1].ID
	}
	c.JSON(http.StatusOK, page)
	return nil
}

// notFound turns the store's error about a missing row into the answer that
// names the field it came from.
func notFound(err error, field string, id int64) error {
	if errors.Is(err, store.ErrNotFound) {
		return web.NotFound(field, id)
	}
	return err
}
