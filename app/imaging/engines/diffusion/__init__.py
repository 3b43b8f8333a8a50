"""Pictures drawn by diffusion models: from words, from a picture, or around a product that stays as it is.

``engine.py`` is the way in for jobs, ``service.py`` owns the device. Importing the package, its requests and its
handlers imports neither torch nor diffusers; only the device's thread does.
"""
