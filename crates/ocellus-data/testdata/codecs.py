"""Small files as other programs write them: a palette, one bit a pixel, a turned photo."""
from pathlib import Path
from PIL import Image

here = Path(__file__).parent
palette = Image.new("P", (2, 1))
palette.putpalette([255, 0, 0, 0, 0, 128])
palette.putdata([0, 1])
palette.save(here / "palette.png")
bits = Image.new("1", (3, 1))
bits.putdata([1, 0, 1])
bits.save(here / "one_bit.png")
photo = Image.new("L", (16, 8))
photo.paste(255, (0, 0, 8, 8))
exif = Image.Exif()
exif[0x0112] = 6
photo.save(here / "turned.jpg", exif=exif, quality=95)
