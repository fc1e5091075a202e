"""Mail, against a real SMTP server in a process of its own: sent once, refused for sure, or in doubt."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr, ValidationError

from connectors.base import (
    NeedsAuthorization,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Unreachable,
)
from connectors.email.addresses import mailbox, warnings
from connectors.email.connector import EmailConnector
from connectors.registry import BoundAction
from core.smtp import SmtpSettings
from tests.doubles.smtp_server import smtp_server

LETTER = {"to": ["ana@example.com"], "subject": "The plan", "text": "It is ready.\n.\nBen"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with smtp_server(tmp_path_factory.mktemp("smtp")) as running:
        yield running


@pytest.fixture
def double(server):
    server.be("ok")
    return server


def settings_of(server, **more):
    told = {"host": "127.0.0.1", "port": server.port, "tls": "none", "from_address": "desk@home.example"}
    return SmtpSettings.model_validate(told | more)


@pytest.fixture
def email(double):
    return EmailConnector(settings_of(double))


@pytest.fixture
def send(email, context):
    async def call(key=None, **changed):
        return await email.execute("send", LETTER | changed, context(key=key))

    return call


@pytest.fixture
def show(email, context):
    async def call(**changed):
        return await email.preview("send", LETTER | changed, context())

    return call


class TestSending:
    async def test_it_arrives_as_it_was_written(self, send, double):
        told = await send(cc=["ben@example.com", "ANA@example.com"], subject="Grüße 🎉", text="Größe: 3 €\n.\nEnd")
        message = double.message()

        assert double.queued[-1]["recipients"] == ["ana@example.com", "ben@example.com"]
        assert (message["to"], message["cc"], message["subject"]) == (
            "ana@example.com", "ben@example.com, ANA@example.com", "Grüße 🎉",
        )  # fmt: skip
        assert message.get_content().splitlines() == ["Größe: 3 €", ".", "End"]
        assert (message["from"], message["auto-submitted"]) == ("desk@home.example", "auto-generated")
        assert message["message-id"] == told["message_id"]
        assert abs(message["date"].datetime - datetime.now(UTC)) < timedelta(minutes=1)
        assert told["sent"] is True

    async def test_one_call_has_one_message_id(self, send, double):
        first, again, other = await send(key="cal_1"), await send(key="cal_1"), await send(key="cal_2")

        assert first["message_id"] == again["message_id"] != other["message_id"]

    async def test_a_name_of_ours_is_shown(self, double, context):
        email = EmailConnector(settings_of(double, from_name='Ana "Desk", Ltd <x@y.z>'))
        await email.execute("send", LETTER, context())

        assert double.message()["from"].addresses[0].addr_spec == "desk@home.example"
        assert double.message()["from"].addresses[0].display_name == 'Ana "Desk", Ltd <x@y.z>'

    @pytest.mark.parametrize(
        "subject",
        ["a\nBcc: eve@evil.example", "a\r\nBcc: eve@evil.example", "a\rb", "a\x00b", "a\u2028b", "a\n", "a\x85"],
    )
    async def test_nobody_writes_a_header_of_their_own(self, send, double, subject):
        before = len(double.lines)
        with pytest.raises(PermanentFailure, match="one line"):
            await send(subject=subject)

        assert len(double.lines) == before

    @pytest.mark.parametrize(
        "address",
        [
            *("", "ana", "@example.com", "ana@", "ana@localhost", "a b@example.com", "ana@example.com\nBcc: e@v.il"),
            *("ana@example.com>", "<ana@example.com>", '"a b"@example.com', "ana@exa mple.com", "ana@[127.0.0.1]"),
            *("ana@127.0.0.1", ".ana@example.com", "ana..b@example.com", "ana@-example.com", "ana@example..com"),
            *("änä@example.com", "ana\u202e@example.com", "ana@exa\u200bmple.com", "a" * 65 + "@example.com"),
            *("ana@" + "a" * 64 + ".com", "ana@example.com, ben@example.com", "ana@ex%61mple.com"),
        ],
    )
    async def test_what_is_no_address_is_named(self, send, double, address):
        before = len(double.lines)
        with pytest.raises(PermanentFailure, match="not an address that mail can be sent to"):
            await send(to=["ben@example.com", address])

        assert len(double.lines) == before

    async def test_an_international_domain_travels_in_ascii(self, send, double):
        await send(to=["ana@bücher.example"])

        assert double.queued[-1]["recipients"] == ["ana@xn--bcher-kva.example"]

    async def test_there_are_fifty_recipients_at_most(self, send):
        with pytest.raises(PermanentFailure, match="50 people"):
            await send(
                to=[f"p{number}@example.com" for number in range(30)], cc=[f"q{n}@example.com" for n in range(21)]
            )


class TestOutcome:
    @pytest.mark.parametrize(
        ("mode", "error", "says"),
        [
            ("refuse_rcpt", PermanentFailure, "refused nobody@example.com"),
            ("busy_rcpt", TemporaryFailure, "may take it later"),
            ("greylist", TemporaryFailure, "may take it later"),
            ("drop_rcpt", Unreachable, "nothing was sent"),
            ("refuse_data", PermanentFailure, "refused the message"),
            ("busy_data", TemporaryFailure, "may take it later"),
        ],
    )
    async def test_a_no_is_a_failure_for_sure(self, send, double, mode, error, says):
        taken = len(double.queued)
        double.be(mode)
        with pytest.raises(error, match=says):
            await send(to=["ana@example.com", "nobody@example.com"])

        assert len(double.queued) == taken

    @pytest.mark.parametrize(("mode", "more"), [("drop_data", 1), ("nonsense", 1), ("drop_untaken", 0)])
    async def test_silence_after_the_message_is_a_doubt(self, send, double, mode, more):
        taken = len(double.queued)
        double.be(mode)
        with pytest.raises(OutcomeUnknown, match="nobody knows whether it was sent"):
            await send()

        assert len(double.queued) == taken + more

    @pytest.mark.parametrize(("mode", "error"), [("hang_mail", Unreachable), ("hang_data", OutcomeUnknown)])
    async def test_a_server_that_hangs_is_left(self, double, context, mode, error):
        double.be(mode)
        email = EmailConnector(settings_of(double, timeout_seconds=0.4))
        with pytest.raises(error):
            await email.execute("send", LETTER, context())

    async def test_a_greylisted_message_passes_when_it_is_sent_anew(self, send, double):
        double.be("greylist")
        to = [f"{double.port}@later.example"]
        with pytest.raises(TemporaryFailure):
            await send(to=to)

        assert (await send(to=to))["sent"]

    async def test_no_server_is_no_message(self, context):
        settings = SmtpSettings(host="127.0.0.1", port=1, tls="none", from_address="desk@home.example")
        with pytest.raises(Unreachable, match="nothing was sent"):
            await EmailConnector(settings).execute("send", LETTER, context())


class TestServer:
    async def test_a_probe_sends_nothing(self, email, double):
        before = double.lines
        await email.probe()

        assert email.service == f"127.0.0.1:{double.port}"
        assert [line["stage"] for line in double.lines[len(before) :]] == ["ehlo"]

    async def test_sign_in_is_needed_where_it_is(self, tmp_path, context):
        with smtp_server(tmp_path, user="desk", password="right") as server:
            secret = {"username": "desk", "password": SecretStr("right")}
            await EmailConnector(settings_of(server, **secret)).execute("send", LETTER, context())
            wrong = {"username": "desk", "password": SecretStr("wrong")}
            with pytest.raises(NeedsAuthorization):
                await EmailConnector(settings_of(server, **wrong)).probe()

            assert len(server.queued) == 1

    @pytest.mark.parametrize("kind", ["starttls", "implicit"])
    async def test_tls_is_used_and_its_certificate_checked(self, tmp_path, certificate, trusting, context, kind):
        with smtp_server(tmp_path, tls=kind, certificate=certificate) as server:
            settings = settings_of(server, tls=kind, host="localhost")
            await EmailConnector(settings, trusting).execute("send", LETTER, context())
            with pytest.raises(Unreachable, match="nothing was sent"):
                await EmailConnector(settings).probe()

            assert len(server.queued) == 1

    async def test_a_server_without_tls_gets_nothing(self, double, context):
        before = len(double.queued)
        with pytest.raises(PermanentFailure, match="no TLS"):
            await EmailConnector(settings_of(double, tls="starttls")).execute("send", LETTER, context())

        assert len(double.queued) == before

    @pytest.mark.parametrize(
        "told",
        [
            {"host": "mail.example.com", "tls": "none"},
            {"host": "127.0.0.1", "tls": "none", "username": "x"},
            {"host": "127.0.0.1", "from_address": "a@b\nBcc: c@d.e"},
            {"host": "127.0.0.1", "from_name": "a\nBcc: c@d.e"},
        ],
    )
    def test_settings_that_would_be_unsafe_are_refused(self, told):
        with pytest.raises(ValidationError):
            SmtpSettings.model_validate({"from_address": "desk@home.example"} | told)


class TestPreview:
    async def test_it_shows_all_the_recipients_first(self, show):
        preview = await show(cc=["ben@home.example"])

        assert preview.summary == 'Send an e-mail to ana@example.com and 1 more: "The plan"'
        assert [(one.label, one.after) for one in preview.changes] == [
            ("To", "ana@example.com"),
            ("Copy to", "ben@home.example"),
            ("Recipients", "2"),
            ("From", "desk@home.example"),
            ("Subject", "The plan"),
            ("Text", LETTER["text"]),
        ]
        assert not preview.reversible
        assert preview.warnings == ("It goes outside: example.com.",)

    async def test_it_warns_of_crowds_and_of_what_cannot_be_seen(self, show):
        preview = await show(to=[f"p{n}@home.example" for n in range(6)], text="pay\u202eeno")

        assert preview.warnings == (
            "It goes to 6 people.",
            "The text has characters that cannot be seen; they are shown as [U+…].",
        )
        assert preview.changes[-1].after == "pay[U+202E]eno"

    @pytest.mark.parametrize(
        "domain", ["h0me.example", "h\u043eme.example", "horne.example", "hóme.example", "home.exampie", "home.examp1e"]
    )
    def test_it_warns_of_names_that_look_like_ours(self, domain):
        told = warnings([mailbox(f"ana@{domain}")], {"home.example"})

        assert any("looks like home.example, and is another" in one for one in told), told

    def test_it_warns_of_letters_that_can_be_taken_for_others(self):
        told = warnings([mailbox("ana@p\u0430ypal.example")], {"home.example"})

        assert any("of several alphabets" in one and "xn--" in one for one in told)

    async def test_what_cannot_be_sent_is_not_shown(self, show):
        with pytest.raises(PermanentFailure):
            await show(to=["nobody"])


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and a certificate of its own for localhost."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return str(path)


@pytest.fixture(scope="module")
def trusting(certificate):
    return ssl.create_default_context(cafile=certificate)


class TestAction:
    @pytest.mark.parametrize("changed", [{"to": []}, {"to": "ana@example.com"}, {"bcc": ["x@y.z"]}, {"subject": " "}])
    def test_its_schema_refuses_what_cannot_be(self, email, changed):
        action = BoundAction(email, email.manifest.action("send"))
        with pytest.raises(Exception, match=r"email\.send"):
            action.check(LETTER | changed)
