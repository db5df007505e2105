package grafana

// Object is a JSON object of which we know some fields, and whose others must
// survive when it is sent back.
type Object map[string]any

// Text returns the string at the key; empty if there is none.
func (o Object) Text(key string) string {
	s, _ := o[key].(string)
	return s
}

// Number returns the number at the key; 0 if there is none.
func (o Object) Number(key string) float64 {
	f, _ := o[key].(float64)
	return f
}

// Object returns the object at the key; nil, which can be read, if there is
// none.
func (o Object) Object(key string) Object {
	switch v := o[key].(type) {
	case map[string]any:
		return v
	case Object:
		return v
	}
	return nil
}

// List returns the elements of the list at the key that are objects.
func (o Object) List(key string) []Object {
	elements, _ := o[key].([]any)
	var objects []Object
	for _, e := range elements {
		if m, ok := e.(map[string]any); ok {
			objects = append(objects, m)
		}
	}
	return objects
}
