package console

import (
	"io/fs"
	"mime"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// page serves the built page. Every address that is not a file of it is a place
// within the page, which its program finds by itself.
func page(dir string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "the page is only read", http.StatusMethodNotAllowed)
			return
		}
		if strings.HasPrefix(name, "api/") {
			http.NotFound(w, r)
			return
		}
		if name == "" || path.Ext(name) == "" {
			name = "index.html"
		}
		// Names of assets hold the hash of their content.
		if strings.HasPrefix(name, "assets/") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		} else {
			w.Header().Set("Cache-Control", "no-cache")
		}
		serve(w, r, dir, name)
	})
}

// serve sends one file, in the compressed form that the build has put beside
// it where the browser takes it.
func serve(w http.ResponseWriter, r *http.Request, dir, name string) {
	root, err := os.OpenRoot(dir) // no name leads out of it
	if err != nil {
		http.Error(w, "the page is not built: run `make up` again", http.StatusNotFound)
		return
	}
	defer func() { _ = root.Close() }()
	file, info, err := open(root, name)
	if err != nil {
		w.Header().Del("Cache-Control")
		http.NotFound(w, r)
		return
	}
	defer func() { _ = file.Close() }()
	if kind := mime.TypeByExtension(path.Ext(name)); kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	if zipped, zippedInfo, err := open(root, name+".gz"); err == nil {
		defer func() { _ = zipped.Close() }()
		w.Header().Add("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && r.Header.Get("Range") == "" {
			w.Header().Set("Content-Encoding", "gzip")
			file, info = zipped, zippedInfo
		}
	}
	http.ServeContent(w, r, "", info.ModTime(), file)
}

// open opens an ordinary file.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	file, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return nil, nil, err
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, nil, fs.ErrNotExist
	}
	return file, info, nil
}

// healthy answers the lab's probe: the console is well when it has a page.
func healthy(dir string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := os.Stat(filepath.Join(dir, "index.html")); err != nil {
			http.Error(w, "there is no page", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
