"""A person with a browser: opens an address, signs in as somebody and agrees to what is asked, form by form.

person.py URL LOGIN
"""

import html
import http.cookiejar
import re
import sys
import urllib.parse
import urllib.request

url, login = sys.argv[1:]
browser = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
)
page = browser.open(url, timeout=20)
for _ in range(10):
    text = page.read().decode()
    form = re.search(r"<form(.*?)>(.*?)</form>", text, re.S)
    if not form:
        break
    action = re.search(r'action="(.*?)"', form[1])
    fields = {}
    for field in re.findall(r"<input(.*?)>", form[2], re.S):
        name, value = re.search(r'name="(.*?)"', field), re.search(r'value="(.*?)"', field)
        if name:
            fields[name[1]] = html.unescape(value[1]) if value else login
    body = urllib.parse.urlencode(fields).encode()
    page = browser.open(urllib.parse.urljoin(page.url, html.unescape(action[1]) if action else ""), body, timeout=20)
print(re.sub(r"\s+", " ", re.sub(r"<style.*?</style>|<[^>]*>", " ", text, flags=re.S)).strip()[:300])
