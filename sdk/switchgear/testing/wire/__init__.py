"""The formats that the fake provider speaks, each as pure functions: a request in, bodies and events out."""
