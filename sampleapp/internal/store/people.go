package store

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// User is a customer.
type User struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	Region    string    `json:"region"`
	CreatedAt time.Time `json:"created_at"`
}

// Post is an article with its author.
type Post struct {
	ID        int64     `json:"id"`
	Title     string    `json:"title"`
	Body      string    `json:"body"`
	CreatedAt time.Time `json:"created_at"`
	Author    Author    `json:"author"`
}

// Author is the user who wrote a post.
type Author struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// GetUser returns one user.
func GetUser(ctx context.Context, db DB, id int64) (User, error) {
	var u User
	err := db.QueryRow(ctx, "select id, name, email, region, created_at from users where id = $1", id).
		Scan(&u.ID, &u.Name, &u.Email, &u.Region, &u.CreatedAt)
	if err != nil {
		return User{}, fmt.Errorf("read user %d: %w", id, missing(err))
	}
	return u, nil
}

// UserExists reports whether there is a user with the id.
func UserExists(ctx context.Context, db DB, id int64) (bool, error) {
	var exists bool
	if err := db.QueryRow(ctx, "select exists (select from users where id = $1)", id).Scan(&exists); err != nil {
		return false, fmt.Errorf("look for user %d: %w", id, err)
	}
	return exists, nil
}

// ListPosts returns up to limit posts with their authors, newest first, with
// ids below before. It is one statement, however many posts there are.
func ListPosts(ctx context.Context, db DB, before int64, limit int) ([]Post, error) {
	const sql = `select p.id, p.title, p.body, p.created_at, u.id, u.name
		from posts p join users u on u.id = p.author_id
		where p.id < $1 order by p.id desc limit $2`
	rows, err := db.Query(ctx, sql, before, limit)
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	posts, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (p Post, err error) {
		err = row.Scan(&p.ID, &p.Title, &p.Body, &p.CreatedAt, &p.Author.ID, &p.Author.Name)
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("list posts: %w", err)
	}
	return posts, nil
}
