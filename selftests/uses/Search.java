// SPDX-License-Identifier: GPL-2.0
// A search engine made of Lucene: each line of the files in a folder is a document.
//
//	java -cp ... Search.java index FOLDER INDEX	make the index anew
//	java -cp ... Search.java count INDEX WORD...	print "WORD: HITS" for each
//	java -cp ... Search.java rate INDEX SECONDS	print the queries that it answers in a second
//	java -cp ... Search.java first INDEX QUERIES	print the seconds for the first so many queries
//
// A query is for two words of the index, chosen at random, always in the same order. The ten best
// documents are read.

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.MultiTerms;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.TermsEnum;
import org.apache.lucene.search.BooleanClause.Occur;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.MMapDirectory;

class Search {
	static final int BEST = 10;

	final IndexSearcher searcher;
	final List<Term> words = new ArrayList<>();
	final Random random = new Random(1);

	Search(DirectoryReader reader) throws Exception {
		TermsEnum terms = MultiTerms.getTerms(reader, "line").iterator();

		searcher = new IndexSearcher(reader);
		while (terms.next() != null)
			words.add(new Term("line", terms.term().utf8ToString()));
	}

	static void index(Path folder, Directory to) throws Exception {
		IndexWriterConfig config = new IndexWriterConfig(new StandardAnalyzer());

		config.setOpenMode(IndexWriterConfig.OpenMode.CREATE);
		try (IndexWriter writer = new IndexWriter(to, config); Stream<Path> files = Files.walk(folder)) {
			for (Iterator<Path> i = files.filter(Files::isRegularFile).iterator(); i.hasNext();)
				for (String line : Files.readAllLines(i.next())) {
					Document document = new Document();

					document.add(new TextField("line", line, Field.Store.YES));
					writer.addDocument(document);
				}
		}
	}

	TermQuery randomWord() {
		return new TermQuery(words.get(random.nextInt(words.size())));
	}

	void ask() throws Exception {
		BooleanQuery query = new BooleanQuery.Builder().add(randomWord(), Occur.SHOULD)
			.add(randomWord(), Occur.SHOULD).build();

		for (ScoreDoc hit : searcher.search(query, BEST).scoreDocs)
			searcher.doc(hit.doc);
	}

	double rate(long seconds) throws Exception {
		long begun = System.nanoTime(), queries = 0;

		for (; System.nanoTime() - begun < seconds * 1000000000L; queries++)
			ask();
		return queries * 1e9 / (System.nanoTime() - begun);
	}

	double first(long queries) throws Exception {
		long begun = System.nanoTime();

		while (queries-- > 0)
			ask();
		return (System.nanoTime() - begun) / 1e9;
	}

	public static void main(String[] args) throws Exception {
		boolean index = args[0].equals("index");

		try (Directory where = new MMapDirectory(Path.of(args[index ? 2 : 1]))) {
			if (index) {
				index(Path.of(args[1]), where);
				return;
			}
			try (DirectoryReader reader = DirectoryReader.open(where)) {
				Search search = new Search(reader);

				switch (args[0]) {
				case "count":
					for (int i = 2; i < args.length; i++)
						System.out.println(args[i] + ": " + search.searcher.count(
							new TermQuery(new Term("line", args[i]))));
					break;
				case "rate":
					System.out.println(search.rate(Long.parseLong(args[2])));
					break;
				case "first":
					System.out.println(search.first(Long.parseLong(args[2])));
					break;
				default:
					throw new IllegalArgumentException(args[0]);
				}
			}
		}
	}
}
