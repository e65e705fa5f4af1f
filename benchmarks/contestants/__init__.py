"""Rivals of the latent model in the physics exam, of equal size and training time: `pixel`, `tokens`, and tokens of latents.

All of them have one GRU of 512 over clips of 48 frames, which predicts 1, 3, 6 and 12 frames ahead, as the latent model has.
They differ in what the GRU sees of a frame, and in what is predicted of it:

- `pixel.Pixel`: latents of an autoencoder; the decoder turns predicted latents into frames, and errors are those of pixels;
- `tokens.Tokens` on `tokenizers.FrameTokenizer`: tokens that a frame can be drawn from, whose likelihood is predicted one token
  after the other by a transformer;
- the same on `tokenizers.LatentTokenizer`: tokens of the latent model's own latents, which no decoder draws. If it does as well
  as the latent model, the latents are what counts; if not, predicting them at once does.
"""
