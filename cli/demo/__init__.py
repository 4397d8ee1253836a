"""The 2 a.m. scene: three tenants, real SDKs and instrumentations, a fake provider with real limits."""
