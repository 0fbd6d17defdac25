import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testLab } from './support/lab.ts';
import { noKubectl, noLab, sh } from './support/polder.ts';

const skip = noLab() || noKubectl();

/** An image as `docker save` writes it: one layer with busybox, and what runs. */
const SAVE = `set -e
mkdir -p root/bin root/www && cp "$(command -v busybox)" root/bin/busybox && ln -s busybox root/bin/sh
echo 'from my own image' > root/www/index.html
tar -C root -cf layer.tar .
digest=sha256:$(sha256sum layer.tar | cut -d' ' -f1)
cat > config.json <<EOT
{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/busybox","httpd","-f","-p","80","-h","/www"],"Env":["PATH=/bin"]},
 "rootfs":{"type":"layers","diff_ids":["$digest"]}}
EOT
echo '[{"Config":"config.json","RepoTags":["my/app:1"],"Layers":["layer.tar"]}]' > manifest.json
tar -cf app.tar manifest.json config.json layer.tar`;

test('lab load: a pod runs an image of its own, and sees no file of the machine', { skip }, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'polder-'));
  try {
    assert.equal((await sh(`cd ${dir} && ${SAVE}`)).status, 0);
    await using lab = await testLab('up', '--nodes', '1');
    assert.match(await lab.must('load', join(dir, 'app.tar')), /my\/app:1/);
    await lab.kubectl('kubectl run app --image=my/app:1 && kubectl wait --for=condition=Ready pod/app --timeout=30s');
    assert.equal(await lab.kubectl('kubectl exec app -- busybox wget -qO- http://localhost/'), 'from my own image\n');
    const seen = (await lab.kubectl('kubectl exec app -- busybox ls /')).split('\n');
    assert.ok(seen.includes('www') && !seen.includes('usr') && !seen.includes('home'), `${seen}`);
    // The one thing in /var is the mount point of the pod's token.
    const below = 'kubectl exec app -- busybox find /var -mindepth 1 -maxdepth 4';
    assert.equal(
      await lab.kubectl(below),
      [
        '/var/run',
        '/var/run/secrets',
        '/var/run/secrets/kubernetes.io',
        '/var/run/secrets/kubernetes.io/serviceaccount',
        '',
      ].join('\n'),
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('lab load refuses what is no image, and changes nothing', { skip }, async () => {
  await using lab = await testLab('up', '--nodes', '1');
  const ran = await lab.run('load', '/etc/passwd');
  assert.equal(ran.status, 51, ran.stderr);
  assert.notEqual((await lab.run('load', '/nowhere.tar')).status, 70);
  await lab.kubectl('kubectl run app --image=my/app:1');
  assert.doesNotMatch(await lab.kubectl('kubectl get pod app'), /Running/);
});
