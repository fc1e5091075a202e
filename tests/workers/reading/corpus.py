"""Files that people upload, and files that nobody should: all made here."""

import io
import zipfile
import zlib
from collections.abc import Sequence

import docx
from pypdf import PdfReader, PdfWriter

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def pdf(*pages: str) -> bytes:
    """A PDF with a line of text on each page."""
    objects: list[bytes] = []
    kids = " ".join(f"{4 + 2 * place} 0 R" for place in range(len(pages)))
    objects.append(b"<< /Type /Catalog /Pages 2 0 R >>")
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    for place, text in enumerate(pages):
        content = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {5 + 2 * place} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    return _assemble(objects)


def _assemble(objects: Sequence[bytes]) -> bytes:
    out, places = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    for place in places:
        out.write(b"%010d 00000 n \n" % place)
    out.write(b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start))
    return out.getvalue()


def encrypted_pdf(password: str) -> bytes:
    writer = PdfWriter()
    writer.append(PdfReader(io.BytesIO(pdf("A secret."))))
    writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def inflating_pdf(megabytes: int) -> bytes:
    """A page whose content unpacks to far more than the file has."""
    packed = zlib.compress(b"(x) Tj " * (megabytes * 150_000), 9)
    return _assemble([
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << >> >>",
        b"<< /Length %d /Filter /FlateDecode >>\nstream\n%s\nendstream" % (len(packed), packed),
    ])  # fmt: skip


def word(*paragraphs: str, heading: str = "", rows: Sequence[Sequence[str]] = ()) -> bytes:
    made, out = docx.Document(), io.BytesIO()
    if heading:
        made.add_heading(heading, 1)
    for paragraph in paragraphs:
        made.add_paragraph(paragraph)
    if rows:
        table = made.add_table(len(rows), len(rows[0]))
        for row, cells in zip(table.rows, rows, strict=True):
            for cell, text in zip(row.cells, cells, strict=True):
                cell.text = text
    made.save(out)
    return out.getvalue()


def altered_word(replace: dict[str, bytes], more: int = 0, link: str = "") -> bytes:
    """A Word document with other parts in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word("Hello."))) as source, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for entry in source.infolist():
            made.writestr(entry, replace.get(entry.filename, source.read(entry)), zipfile.ZIP_DEFLATED)
        for name in replace.keys() - set(source.namelist()):
            made.writestr(name, replace[name])
        for number in range(more):
            made.writestr(f"word/more{number}.bin", b"")
        if link:
            entry = zipfile.ZipInfo("word/link.xml")
            entry.external_attr = 0o120777 << 16
            made.writestr(entry, link)
    return out.getvalue()


def body(inner: str, before: str = "") -> bytes:
    """The main part of a Word document."""
    return f'<?xml version="1.0"?>{before}<w:document xmlns:w="{W}"><w:body>{inner}</w:body></w:document>'.encode()


def laughs() -> bytes:
    entities = ['<!ENTITY a0 "lol">']
    entities += [f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)]
    declared = f"<!DOCTYPE w:document [{''.join(entities)}]>"
    return altered_word({"word/document.xml": body("<w:p><w:r><w:t>&a9;</w:t></w:r></w:p>", declared)})


def thief(file: str) -> bytes:
    declared = f'<!DOCTYPE w:document [<!ENTITY f SYSTEM "file://{file}">]>'
    return altered_word({"word/document.xml": body("<w:p><w:r><w:t>&f;</w:t></w:r></w:p>", declared)})
