"""The console page in a real browser: every curve is drawn and nothing says that something went wrong."""

import re
import tempfile
import unittest

import browser
import demo


class ConsolePageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        work = cls.enterClassContext(tempfile.TemporaryDirectory())
        it = cls.enterClassContext(demo.demo(work))
        demo.wait_for("a first scrape of all", lambda: len(it.query("up == 1")) == 3)
        document = (demo.ROOT / "tests/golden/data/example_document.txt").read_text()
        for text in (document[:4000], document[:20000]):
            it.generate(text, "--policy", "windowkv", "--budget-tokens", "64")
        # Rates need two scrapes that saw the requests.
        demo.wait_for("rates", lambda: it.query("sum(rate(windowkv_kv_kept_fraction_count[5m])) > 0"))
        cls.dom = browser.dom(browser.console_page(it.prometheus, 30))

    def test_every_graph_has_a_curve(self):
        graphs = self.dom.split('class="graph"')[1:]
        self.assertEqual(len(graphs), 6)
        for graph in graphs:
            with self.subTest(re.search(r'data-expr="([^"]+)"', graph)[1]):
                self.assertRegex(graph, r'<path[^>]* d="M[^"]{20,}"')

    def test_nothing_says_that_something_went_wrong(self):
        page = self.dom.split("</style>")[1]
        self.assertNotIn('class="error-banner"', page)
        self.assertNotIn("prom_graph_error", page)
        self.assertNotIn("error executing template", page)

    def test_tiles_and_table_have_figures(self):
        tiles = re.findall(r"<b data-expr=[^>]*>([^<]*)</b>", self.dom)
        self.assertEqual(len(tiles), 5)
        self.assertNotIn("–", tiles)
        self.assertRegex(tiles[0], r"^[1-9][0-9.]* [KMG]iB$")
        self.assertIn("<td>windowkv</td>", self.dom)


if __name__ == "__main__":
    demo.skip_without("prometheus", "chromium")
    unittest.main()
